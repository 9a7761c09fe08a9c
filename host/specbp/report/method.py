"""How the numbers of a report were measured, in words, with the limits of each statistic."""

from __future__ import annotations

from specbp.report.health import AGREEMENT, P95_LIMIT
from specbp.report.statistics import RESAMPLES
from specbp.report.summary import ArmComparison, Summary


def method_words(summary: Summary) -> list[tuple[str, str]]:
    """Return (heading, paragraph) pairs; the same words for every rendering."""
    on_two_cores = any(comparison.overlay for comparison in summary.comparisons)
    return [
        ("Interleaving", _interleaving(summary)),
        ("Equal work", _equal_work()),
        ("Two baselines", _baselines()),
        ("Ratio of step times", _ratio()),
        ("No verdict", _no_verdict()),
        ("Whole loop and memory", _whole_loop()),
        ("Accuracy", _accuracy()),
        ("Non-inferiority", _non_inferiority(summary)),
        ("Ideal bound", _bound()),
        ("Beyond the bound", _over_bound()),
        *([("Two cores of the overlay", _two_cores())] if on_two_cores else []),
        ("Many intervals", _many()),
    ]


def _interleaving(summary: Summary) -> str:
    against = [
        found
        for comparison in summary.comparisons
        for arm in comparison.arms
        for found in (arm.one_thread, arm.equal_resources)
        if isinstance(found, ArmComparison)
    ]
    rounds = sorted({found.time.rounds for found in against})
    blocks = sorted({comparison.work["block_steps"] for comparison in summary.comparisons})
    measured = ""
    if rounds:
        span = f"{rounds[0]}" if len(rounds) == 1 else f"{rounds[0]} to {rounds[-1]}"
        measured = f" Each ratio here rests on {span} rounds, all seeds together."
    return (
        "The arms of a comparison are trained in one process and take turns: in every round each "
        f"arm runs the same number of steps ({', '.join(map(str, blocks))}, or fewer where an "
        "epoch ends), in an order that is drawn so that each arm has each place, and each other "
        "arm before it, equally often; slow drifts of the machine then meet all of "
        f"them.{measured} Libraries are warmed up on a copy that is thrown away; of the training "
        "itself no step and no round is left out. The time of a step is wall time, without "
        "evaluation on the test set; on a simulated overlay it is the overlay's own, its cycles "
        "at the clock that was set. Arms not timed in turns are not held against each other."
    )


def _equal_work() -> str:
    return (
        "Two arms are compared only at the same seed and only if the SHA-256 of their initial "
        "weights, of the order of their samples and of the data agree, and those of the weights "
        "that the first step really read and of the samples that the steps really took; "
        "otherwise no report is made. The hashes are listed with each comparison."
    )


def _baselines() -> str:
    return (
        "Every arm is held against sequential training on one thread, and against sequential "
        "training with as many threads as all engines of the arm have together. A speed-up "
        "against the first alone may be owed to the additional threads; one against the second "
        "alone may be owed to threads that hinder each other. The headline therefore counts an "
        "arm as faster only if it is faster than both. A baseline that is missing from the "
        "results is shown as not measured. On a GPU, read stream for thread: sequential training "
        "on two streams computes weight gradients beside the propagation of deltas."
    )


def _ratio() -> str:
    return (
        "Total step time of the arm over that of the baseline, at the seeds both have. Beside it "
        "stands the ratio of a typical step: of the medians, or, where steps come in kinds (with "
        "rejected samples and without), of the mean of the medians of the kinds. The unit is the "
        "repeat: all arms trained in turns from beginning to end, with another seed, in another "
        "start of the process, or both. With two repeats or more the 95% interval is Student's t "
        "over the logarithms of their ratios; where each repeat has a process of its own, that "
        "also covers what a process draws once and keeps. In simulations it held the true ratio "
        "in 93 to 97% of cases with 2, 3 and 5 repeats that differed by up to 6%, under noise "
        "that lasts over many rounds, and with one round in a hundred a hundred times as long. "
        "The ratios of single repeats are drawn as thin ticks. From a single repeat the interval "
        "is a paired stationary bootstrap (Politis and Romano 1994) over its rounds, "
        f"{RESAMPLES} resamples, widened with Student's t: it knows nothing of other repeats, and "
        "where repeats differed by 3.4% it held the true ratio in 73% of cases. No interval "
        "speaks of another machine."
    )


def _whole_loop() -> str:
    return (
        "The clock of a step holds all that it does, loading its batch included. What the loop "
        "does between steps (putting the numbers of a step on record, hashing its samples, "
        "drawing the order of an epoch) is measured too and shown with the ratio of the whole "
        "loop; it is left out of the other ratios. Evaluation and the pause after the turn of an "
        "arm with several threads, 20 ms in which they fall asleep, belong to neither. Peak "
        "memory is by how much the process grew while an arm was opened and did its first steps."
    )


def _no_verdict() -> str:
    return (
        "No arm is called faster or slower where the baseline was not well: where sequential "
        "training on several threads is slower than on one, where one step in twenty of the "
        f"baseline took more than {P95_LIMIT:g} times its median, or where the ratios of total "
        f"time and of a typical step differ by more than {AGREEMENT - 1:.0%}. The numbers are "
        "shown all the same, and the reason beside them."
    )


def _accuracy() -> str:
    return (
        "Mean over seeds after the last epoch, and mean of the differences arm minus sequential "
        "on one thread at the same seed, with Student's t intervals. With 3 seeds such an "
        "interval reaches 2.5 standard deviations to each side, and the standard deviation is "
        "itself known only to within a factor of 0.5 to 6: it can show that a difference is large "
        "against the scatter between seeds, but it cannot show that two methods are equal. From "
        "one seed there is no interval. Nothing here speaks of other data sets, networks or "
        "learning rates."
    )


def _non_inferiority(summary: Summary) -> str:
    margins = sorted({arm.accuracy_margin for one in summary.comparisons for arm in one.arms})
    return (
        '"Loses at most" is the one-sided 95% limit of the loss of test accuracy, from the '
        "differences at equal seeds and Student's t. Where it is below the margin of "
        f"{', '.join(f'{margin:g}' for margin in margins)} percentage points, the arm is "
        "non-inferior at that margin; where it is not, nothing is shown: more seeds may show it."
    )


def _bound() -> str:
    return (
        "Ideal step time over sequential F + B at the measured accept rate: what the schedule "
        "could reach if overlapping cost nothing. It refers to one thread. F is the forward, B the "
        "backward, of which D propagates deltas, W gives weight gradients and U updates the "
        "weights; r is the rejected share. After a gate: max(F, D) + rD + max(W, (W + U)/2), with "
        "balanced engines (W + U)/2. Without one: max(F, D + W, (F + B)/2), balanced max(F, D, "
        "(F + B)/2)."
    )


def _over_bound() -> str:
    return (
        "The wall time of every step is put on accounts, moment by moment: a moment in which both "
        "engines work belongs half to what each does; one in which an engine idles beside a pass "
        "is half imbalance; beside anything else it is what that costs; beside nothing it is "
        "synchronisation. From each account is taken what the bound has of it, so that the bound "
        "and the parts add up to the mean step. Contention is what passes take more beside each "
        "other than those of sequential training take alone."
    )


def _two_cores() -> str:
    return (
        "A step on two cores is compiled again from the fields of the experiment, by the version "
        "of specbp that wrote this report, and its cycles are predicted with as many rejected "
        "samples as the median step of the arm had. Ratios in parentheses are over the sequential"
        " step on one core, predicted likewise. F, D, W and U are its passes: forward, deltas, "
        "weight gradients, updates; B = D + W + U; r is the rejected share. The bound is max(F, "
        "D) + rD + max(W, U) after a gate and max(F, D + W) without one; balanced, it is (F + (1 "
        "+ r)D + W + U)/2; of a sequential step on two cores it is half. It is the ideal bound of"
        " such an arm above. Between bound and prediction lie cycles in which a core waits at a "
        "semaphore for the other or has ended before it, beyond what the bound has of them; the "
        "gate; and what passes take longer than on one core: memory, barriers, contention. A "
        "cycle belongs half to each core. As run is the mean of the arm's steps with so many "
        "rejected samples: simulated clock for clock with sim:rtl, counted by a board, predicted "
        "when it was trained with sim:model."
    )


def _many() -> str:
    return (
        '"Faster", "slower", "lower" and "higher" mean that the 95% interval leaves out no '
        'difference; "not told apart" means that it does not, which is no proof of equality. One '
        "such interval in twenty misses by chance, and the fastest of several arms looks a little "
        "faster than it is."
    )


def citation_words(summary: Summary, title: str) -> str:
    """Say how to cite the numbers: title, software, commit and time."""
    found = summary.provenance
    versions = ", ".join(sorted({software.specbp for software in found.software}))
    commits = ", ".join(sorted({software.commit for software in found.software}))
    when = f", from {found.started[0]} to {found.started[1]}" if found.started else ""
    return f'"{title}", measured with specbp {versions}, commit {commits}{when}'
