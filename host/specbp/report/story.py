"""What a whole report found, as one paragraph of plain words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from specbp.counting import count
from specbp.report.headline import held_against, verdict_against_both, worst_ratio
from specbp.report.health import cause
from specbp.report.schemes import DATA_PARALLEL, PAPER, UNGATED, backend_title
from specbp.report.statistics import MeanInterval
from specbp.report.summary import ArmComparison, ArmSummary, NotCompared, Summary
from specbp.report.titles import dataset_words
from specbp.report.wording import (
    WITHHELD,
    accuracy_verdict,
    number_words,
    time_verdict,
)


@dataclass(frozen=True)
class _Group:
    """All arms of one scheme on one kind of engine, over all comparisons."""

    scheme: str
    where: str
    arms: tuple[ArmSummary, ...]

    @property
    def name(self) -> str:
        return self.scheme + self.where

    @property
    def judged(self) -> list[ArmSummary]:
        return [arm for arm in self.arms if held_against(arm)]

    @property
    def rank(self) -> float:
        """The geometric mean of the ratios to the harder baseline."""
        logs = [math.log(worst_ratio(arm)) for arm in self.judged]
        return sum(logs) / len(logs)


def story(summary: Summary) -> str:
    """Tell what was trained, what was fastest, how the paper's scheme did, and the accuracy.

    Every scheme is given with the whole range of its ratios, over all comparisons and variants,
    so that one favourable comparison cannot speak for the others.
    """
    groups = [group for group in _groups(summary) if group.judged]
    sentences = [_setting(summary)]
    if groups and all(_alone(arm) for group in groups for arm in group.judged):
        sentences.append("Every arm had one engine on one thread, so its time says nothing.")
        for group in groups:
            sentences += _accuracy(group, summary, _capital(group.name))
    elif not groups:
        sentences.append("No sequential baseline was timed beside, so no speed-up is claimed.")
    else:
        best = min(groups, key=lambda group: group.rank)
        sentences += [_fastest(best, several=len(groups) > 1), *_accuracy(best, summary)]
        for scheme in _worth_telling(groups):
            for group in groups:
                if group.scheme == scheme and group is not best:
                    sentences += [_also(group), *_accuracy(group, summary)]
    if all(comparison.synthetic for comparison in summary.comparisons):
        sentences.append("The images are random, so nothing is said about accuracy.")
    if summary.left_out:
        number = len(summary.left_out)
        sentences.append(
            f"{count(number, 'training')} failed or {'was' if number == 1 else 'were'} skipped; "
            "the end of the report lists each with its reason."
        )
    return " ".join(sentences)


def _worth_telling(groups: Iterable[_Group]) -> tuple[str, ...]:
    """Return the schemes that get a sentence of their own, whatever they came to."""
    schemes = {group.scheme for group in groups}
    return (PAPER if PAPER in schemes else UNGATED, DATA_PARALLEL)


def _groups(summary: Summary) -> list[_Group]:
    """Return the arms by their scheme, and by what ran them where several backends did."""
    arms = [arm for one in summary.comparisons for arm in one.arms if not arm.sequential]
    several = len({arm.backend for arm in arms}) > 1
    found: dict[tuple[str, str], list[ArmSummary]] = {}
    for arm in arms:
        where = f" ({backend_title(arm.backend)})" if several else ""
        found.setdefault((arm.scheme, where), []).append(arm)
    return [_Group(scheme, where, tuple(arms)) for (scheme, where), arms in found.items()]


def _alone(arm: ArmSummary) -> bool:
    """Return whether `arm` has no more than one worker, so that nothing can overlap in it."""
    one, equal = arm.one_thread, arm.equal_resources
    return (
        isinstance(one, ArmComparison)
        and isinstance(equal, ArmComparison)
        and one.baseline == equal.baseline
    )


def _setting(summary: Summary) -> str:
    works = [comparison.work for comparison in summary.comparisons]
    models = _list(dict.fromkeys(str(work["model"]) for work in works))
    datasets = _list(dict.fromkeys(dataset_words(str(work["dataset"])) for work in works))
    sizes = sorted({int(work["batch_size"]) for work in works})
    batch = f"batch size{'' if len(sizes) == 1 else 's'} {_range(sizes, '{:g}')}"
    runs = sum(len(arm.seeds) for comparison in summary.comparisons for arm in comparison.arms)
    return (
        f"{models} on {datasets}, {batch}: {count(runs, 'training')} in "
        f"{count(len(works), 'comparison')}."
    )


def _fastest(group: _Group, several: bool) -> str:
    name, both = _capital(group.name), _both(group)
    noun = " or ".join(sorted({arm.workers for arm in group.judged}))
    one, equal = _ratios(group)
    took = [f"{_range(one)} of the time of sequential training on one {noun}"] if one else []
    if equal:
        on = f"on as many {noun}s as it used itself"
        took.append(
            f"{_range(equal)} of {'that' if one else 'the time of sequential training'} {on}"
        )
    times = " and ".join(took)
    if not several:
        return f"{name} took {times}: {both}."
    verdicts = [verdict_against_both(arm) for arm in group.judged]
    faster = verdicts.count("faster")
    if not faster:
        if WITHHELD in verdicts:
            return f"{name} came closest: it took {times}, {both}."
        return f"{name} came closest, and was nowhere shown to be faster: it took {times}."
    did = "was fastest" if 2 * faster >= len(group.judged) else "did best"
    return f"{name} {did}: it took {times}, {both}."


def _also(group: _Group) -> str:
    one, equal = _ratios(group)
    times = " and ".join(_range(ratios) for ratios in (one, equal) if ratios)
    return f"{_capital(group.name)} took {times} of these times, {_both(group)}."


def _ratios(group: _Group) -> tuple[list[float], list[float]]:
    """Return the ratios to one worker, and those to equal resources where that is another arm."""
    one = [arm.one_thread for arm in group.judged]
    equal = [
        arm.equal_resources
        for arm in group.judged
        if _baseline(arm.equal_resources) != _baseline(arm.one_thread)
    ]
    return _times(one), _times(equal)


def _baseline(found: ArmComparison | NotCompared) -> str:
    return found.baseline if isinstance(found, ArmComparison) else ""


def _both(group: _Group) -> str:
    """Say in how many cases an arm was faster than both baselines, and in how many slower."""
    verdicts = [verdict_against_both(arm) for arm in group.judged]
    withheld = [arm for arm in group.judged if verdict_against_both(arm) == WITHHELD]
    if len(withheld) == len(verdicts):
        return _without_verdict(withheld)
    one, equal = _ratios(group)
    both = "both" if one and equal else "this baseline"
    if len(verdicts) == 1:
        least = "at least one of them" if one and equal else "it"
        return {
            "faster": f"faster than {both}",
            "slower": f"slower than {least}",
            "": "from one round, which gives no interval",
        }.get(verdicts[0], f"not told apart from {least}")
    faster, slower = verdicts.count("faster"), verdicts.count("slower")
    words = f"faster than {both} in {faster or 'none'} of {len(verdicts)} cases"
    if slower:
        words += f" and slower than {'one of them' if one and equal else 'it'} in {slower}"
    if withheld:
        words += f"; {len(withheld)} {'is' if len(withheld) == 1 else 'are'} "
        words += _without_verdict(withheld)
    return words


def _without_verdict(arms: Sequence[ArmSummary]) -> str:
    """Say against which baselines no verdict is given on the time of `arms`, and why.

    Args:
        arms: arms whose verdict is withheld beside at least one of their baselines.
    """
    reasons = [
        reason for arm in arms for against in held_against(arm) for reason in against.withheld
    ]
    because = f"because {_list(dict.fromkeys(map(cause, reasons)))}"
    faster = [
        arm
        for arm in arms
        if isinstance(arm.one_thread, ArmComparison) and time_verdict(arm.one_thread) == "faster"
    ]
    noun = arms[0].workers
    if not faster:
        return f"without a verdict, {because}"
    if len(faster) == len(arms):
        return f"faster than one {noun} and without a verdict against more, {because}"
    return f"without a verdict, {because} ({len(faster)} of them faster than one {noun})"


def _accuracy(group: _Group, summary: Summary, name: str = "") -> list[str]:
    """Say how test accuracy changed, where more than one epoch was trained."""
    meaningless = {
        id(arm)
        for comparison in summary.comparisons
        if comparison.synthetic or comparison.work["epochs"] < 2
        for arm in comparison.arms
    }
    changes = [
        arm.accuracy_change
        for arm in group.arms
        if isinstance(arm.accuracy_change, MeanInterval) and id(arm) not in meaningless
    ]
    if not changes:
        return []
    whose = f"{name or 'It'} changed"
    moved = _range([change.mean for change in changes], "{:+.2f}")
    verdicts = [accuracy_verdict(change) for change in changes]
    if not any(verdicts):
        return [f"{whose} test accuracy by {moved} points (one seed, so no interval)."]
    told = [
        f"{word} in {verdicts.count(word)} of {len(verdicts)}"
        for word in ("lower", "higher")
        if word in verdicts
    ]
    words = " and ".join(told) if told else "not told apart from sequential training"
    if len(verdicts) == 1:
        words = verdicts[0] if told else words
    return [f"{whose} test accuracy by {moved} points ({words})."]


def _times(found: Iterable[ArmComparison | NotCompared]) -> list[float]:
    return [one.time.ratio for one in found if isinstance(one, ArmComparison)]


def _range(values: Sequence[float], form: str = "{:.2f}") -> str:
    low, high = (number_words(value, form) for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _list(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
