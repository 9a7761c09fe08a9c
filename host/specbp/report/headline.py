"""The result of a comparison in one sentence, losses as plain as wins."""

from __future__ import annotations

from collections.abc import Sequence

from specbp.report.summary import ArmComparison, ArmSummary, ComparisonSummary, NotCompared
from specbp.report.wording import (
    accuracy_verdict,
    count,
    interval_words,
    number_words,
    time_verdict,
)

_NO_BASELINE = 2


def headline(comparison: ComparisonSummary) -> str:
    """State what `comparison` found: every arm is counted, the fastest is given in numbers."""
    arms = [arm for arm in comparison.arms if not arm.sequential]
    if not arms:
        return "Only sequential arms were measured, so there is nothing to hold against them."
    fastest = min(arms, key=_rank)
    if _rank(fastest)[0] == _NO_BASELINE:
        return "No sequential baseline was measured beside these arms, so no speed-up is claimed."
    if len(arms) == 1:
        parts = [f'"{fastest.name}" {_took(fastest)}', *_accuracy_change(fastest)]
    else:
        parts = [_time_counts(arms), *_accuracy_counts(arms)]
        parts += [f'the fastest, "{fastest.name}", {_took(fastest)}', *_accuracy_change(fastest)]
    if comparison.synthetic:
        parts.append("the data is synthetic, so no accuracy is claimed")
    return "; ".join(parts) + "."


def _rank(arm: ArmSummary) -> tuple[int, float]:
    """Order arms by their ratio at equal resources, then by that to one thread."""
    for place, against in enumerate((arm.equal_resources, arm.one_thread)):
        if isinstance(against, ArmComparison):
            return (place, against.time.ratio)
    return (_NO_BASELINE, 0.0)


def _took(arm: ArmSummary) -> str:
    """Say how long `arm` took against both baselines, or that one was not measured."""

    def share(against: ArmComparison | NotCompared, of: str) -> str:
        if isinstance(against, NotCompared):
            return f"(against {of}: {against.reason})"
        time = against.time
        interval = interval_words(time.low, time.high, "{:.2f}")
        words = " ".join(part for part in (f"{time.ratio:.2f}", interval) if part)
        return f"{words} of {of} ({time_verdict(against) or 'no interval from one round'})"

    one = share(arm.one_thread, "the time of sequential training on one thread")
    equal = share(arm.equal_resources, "its time on equal threads")
    return f"took {one} and {equal}"


def _accuracy_change(arm: ArmSummary) -> list[str]:
    if isinstance(arm.one_thread, NotCompared) or arm.one_thread.accuracy is None:
        return []
    difference = arm.one_thread.accuracy
    interval = interval_words(difference.low, difference.high, "{:+.2f}")
    number = number_words(difference.mean, "{:+.2f}")
    verdict = accuracy_verdict(arm.one_thread) or "no interval from one seed"
    words = " ".join(part for part in (number, "points", interval) if part)
    return [f"its test accuracy changed by {words} ({verdict})"]


def _time_counts(arms: Sequence[ArmSummary]) -> str:
    judged = [arm.equal_resources for arm in arms if isinstance(arm.equal_resources, ArmComparison)]
    basis = "on equal threads"
    if not judged:
        judged = [arm.one_thread for arm in arms if isinstance(arm.one_thread, ArmComparison)]
        basis = "on one thread"
    verdicts = [time_verdict(against) for against in judged]
    counts = _tally(verdicts, ("faster", "slower", "not told apart"), "without an interval")
    beside = len(arms) - len(judged)
    left = f" ({beside} more: not measured against it)" if beside else ""
    return f"Of {count(len(judged), 'arm')} against sequential training {basis}, {counts}{left}"


def _accuracy_counts(arms: Sequence[ArmSummary]) -> list[str]:
    judged = [
        arm.one_thread
        for arm in arms
        if isinstance(arm.one_thread, ArmComparison) and arm.one_thread.accuracy is not None
    ]
    if not judged:
        return []
    verdicts = [accuracy_verdict(against) for against in judged]
    counts = _tally(verdicts, ("lower", "higher", "not told apart"), "from one seed only")
    return [f"in test accuracy {counts}"]


def _tally(verdicts: Sequence[str], words: Sequence[str], without: str) -> str:
    """Count `verdicts`, such as ``1 is faster and 2 are slower``."""
    counts = [
        f"{verdicts.count(word)} {'is' if verdicts.count(word) == 1 else 'are'} {shown}"
        for word, shown in [*((word, word) for word in words), ("", without)]
        if word in verdicts
    ]
    return ", ".join(counts[:-1]) + (" and " if len(counts) > 1 else "") + counts[-1]
