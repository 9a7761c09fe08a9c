"""The result of a comparison in one sentence, losses as plain as wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specbp.counting import count
from specbp.report.learning import learning_sentences
from specbp.report.statistics import MeanInterval
from specbp.report.summary import ArmComparison, ArmSummary, ComparisonSummary, NotCompared
from specbp.report.wording import (
    WITHHELD,
    accuracy_verdict,
    interval_words,
    number_words,
    possible_change,
    time_verdict,
)

NOISY = 2.0
"""A 95th percentile above this many medians is worth a caution."""

MOST_BETWEEN = 0.05
"""Work between the steps above this part of a step is worth a caution."""


def headline(comparison: ComparisonSummary) -> str:
    """State what `comparison` found: every arm is counted, the fastest is given in numbers.

    An arm counts as faster only if it is faster than both baselines. More threads can slow small
    networks down, and then the baseline on equal threads alone would flatter every other arm.
    """
    arms = [arm for arm in comparison.arms if not arm.sequential]
    if not arms:
        return "Only sequential arms were measured, so there is nothing to hold against them."
    judged = [arm for arm in arms if held_against(arm)]
    if not judged:
        return "No sequential baseline was timed beside these arms, so no speed-up is claimed."
    fastest = min(judged, key=worst_ratio)
    if len(arms) == 1:
        parts = [f'"{fastest.name}" {_took(fastest)}', *_accuracy_change(fastest)]
    else:
        parts = [_time_counts(judged, len(arms)), *_accuracy_counts(arms)]
        parts += [f'the fastest, "{fastest.name}", {_took(fastest)}', *_accuracy_change(fastest)]
    if comparison.synthetic:
        parts.append("the data is synthetic, so no accuracy is claimed")
    return "; ".join(parts) + "."


def cautions(comparison: ComparisonSummary) -> list[str]:
    """Return what makes the numbers of `comparison` less telling than they look."""
    found = [*learning_sentences(comparison.learning), *comparison.cores]
    found += [
        f'"{against.arm}" took {against.time.ratio:.2f} times as long as sequential training on '
        f"one {arm.workers}: here more {arm.workers}s do not help sequential training, so one "
        f"{arm.workers} is the harder baseline, and ratios to equal {arm.workers}s flatter."
        for arm in comparison.arms
        for against in [arm.one_thread]
        if arm.sequential
        and isinstance(against, ArmComparison)
        and time_verdict(against) == "slower"
    ]
    found += [
        f'"{arm.name}" did not come to the same weights at every start of the same seed: it does '
        "not do the same work each time."
        for arm in comparison.arms
        if not arm.repeatable
    ]
    found += _between_sentences(comparison)
    found += _withheld_sentences(comparison)
    noisiest = max(comparison.arms, key=_tail)
    if _tail(noisiest) > NOISY:
        found.append(
            f"One step in twenty took more than {_tail(noisiest):.1f} times the median of its arm "
            f'("{noisiest.name}"): the machine was busy with other work, or its clock unsteady. '
            "Times from an idle machine would say more."
        )
    return found


def _between_sentences(comparison: ComparisonSummary) -> list[str]:
    """Return one sentence on the arms whose loop does much outside the clock of their steps."""
    shares = {
        arm.name: arm.between_ms / (arm.step_ms + arm.between_ms)
        for arm in comparison.arms
        if arm.between_ms and arm.between_ms > MOST_BETWEEN * arm.step_ms
    }
    if not shares:
        return []
    most = max(shares, key=lambda name: shares[name])
    if len(shares) == 1:
        spent = f'"{most}" spends {shares[most]:.0%} of its loop outside the clock of its steps'
    else:
        whole = len(shares) == len(comparison.arms)
        who = "All arms" if whole else f"{len(shares)} of {len(comparison.arms)} arms"
        spent = (
            f"{who} spend "
            f"{min(shares.values()):.0%} to {shares[most]:.0%} of their loop outside the clock of "
            f'their steps, "{most}" the most'
        )
    return [f"{spent}: ratios of step times leave that out, those of the whole loop do not."]


def _withheld_sentences(comparison: ComparisonSummary) -> list[str]:
    """Return a sentence for each reason for which verdicts are withheld, with the arms it hits."""
    arms_by_reason: dict[str, list[str]] = {}
    for arm in comparison.arms:
        for against in held_against(arm):
            for reason in against.withheld:
                arms_by_reason.setdefault(reason, []).append(f'"{arm.name}"')
    return [
        f"No verdict on the time of {', '.join(arms)}: {reason}."
        for reason, arms in arms_by_reason.items()
    ]


def _tail(arm: ArmSummary) -> float:
    return arm.step_time.p95 / arm.step_time.median


def held_against(arm: ArmSummary) -> list[ArmComparison]:
    """Return the ratios of `arm` to the baselines that were measured."""
    both = (arm.one_thread, arm.equal_resources)
    return [against for against in both if isinstance(against, ArmComparison)]


def worst_ratio(arm: ArmSummary) -> float:
    """Return the ratio to the harder of the baselines that were measured."""
    return max(against.time.ratio for against in held_against(arm))


def verdict_against_both(arm: ArmSummary) -> str:
    """Return ``faster`` than every baseline measured, ``slower`` than one of them, or neither.

    A verdict that is withheld beside one baseline is withheld of both.
    """
    verdicts = [time_verdict(against) for against in held_against(arm)]
    for missing in (WITHHELD, ""):
        if missing in verdicts:
            return missing
    if "slower" in verdicts:
        return "slower"
    return "faster" if set(verdicts) == {"faster"} else "not told apart"


def _took(arm: ArmSummary) -> str:
    """Say how long `arm` took against both baselines, or that one was not measured."""

    def share(against: ArmComparison | NotCompared, of: str) -> str:
        if isinstance(against, NotCompared):
            return f"(against {of}: {against.reason})"
        time = against.time
        interval = interval_words(time.low, time.high, "{:.2f}")
        words = " ".join(part for part in (f"{time.ratio:.2f}", interval) if part)
        verdict = time_verdict(against) or "no interval from one round"
        return f"{words} of {of} ({verdict}; a typical step {against.typical.ratio:.2f})"

    one = share(arm.one_thread, f"the time of sequential training on one {arm.workers}")
    equal = share(arm.equal_resources, f"its time on equal {arm.workers}s")
    return f"took {one} and {equal}"


def _accuracy_change(arm: ArmSummary) -> list[str]:
    change = arm.accuracy_change
    if isinstance(change, NotCompared):
        return []
    interval = interval_words(*possible_change(change), "{:+.2f}")
    number = number_words(change.mean, "{:+.2f}")
    words = " ".join(part for part in (number, "points", interval) if part)
    verdict = accuracy_verdict(change) or "no interval from one seed"
    return [f"its test accuracy changed by {words} ({verdict})"]


def _time_counts(judged: Sequence[ArmSummary], arms: int) -> str:
    """Count the arms by their verdict against the baselines."""
    both = all(len(held_against(arm)) == 2 for arm in judged)
    basis = "both baselines" if both else "the baselines measured"
    counts = _tally(
        [verdict_against_both(arm) for arm in judged],
        {
            "faster": f"faster than {basis}",
            "slower": "slower than at least one",
            "not told apart": "not told apart from at least one",
            WITHHELD: "without a verdict (the timing does not allow one)",
            "": "without an interval",
        },
    )
    beside = arms - len(judged)
    left = f" ({count(beside, 'more arm')} without a baseline)" if beside else ""
    noun = " or ".join(sorted({arm.workers for arm in judged}))
    return f"Held against sequential training on one {noun} and on equal {noun}s, {counts}{left}"


def _accuracy_counts(arms: Sequence[ArmSummary]) -> list[str]:
    changes = [arm.accuracy_change for arm in arms]
    verdicts = [accuracy_verdict(one) for one in changes if isinstance(one, MeanInterval)]
    if not verdicts:
        return []
    words = ("lower", "higher", "not told apart")
    named = {word: word for word in words} | {"": "from one seed only"}
    return [f"in test accuracy {_tally(verdicts, named)}"]


def _tally(verdicts: Sequence[str], words: Mapping[str, str]) -> str:
    """Count `verdicts`, such as ``1 arm is faster and 2 are slower``."""
    counts: list[str] = []
    for word, shown in words.items():
        number = verdicts.count(word)
        if number:
            noun = "" if counts else f" arm{'' if number == 1 else 's'}"
            counts.append(f"{number}{noun} {'is' if number == 1 else 'are'} {shown}")
    return ", ".join(counts[:-1]) + (" and " if len(counts) > 1 else "") + counts[-1]
