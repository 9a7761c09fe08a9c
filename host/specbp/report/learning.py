"""Which trainings of a comparison ended at chance, or fell apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from specbp.learning import MeasuredAccuracy
from specbp.report.pairing import Arm, Comparison, Row, one_thread_baseline


@dataclass(frozen=True)
class LearningNote:
    """What a reader must know about the accuracy of one training.

    Attributes:
        arm: name of the arm.
        seed: seed of the training.
        verdict: ``did not learn`` or ``fell apart``.
        words: numbers that show it, in words.
    """

    arm: str
    seed: int
    verdict: str
    words: str


def learning_notes(comparison: Comparison) -> list[LearningNote]:
    """Return a note on every training of `comparison` that did not learn, or fell apart."""
    if comparison.synthetic:
        return []
    found = []
    for arm in comparison.arms:
        baseline = _runs_by_seed(one_thread_baseline(comparison, arm))
        notes = (_note(arm.name, run, baseline.get(run["seed"])) for run in arm.once_per_seed)
        found += [note for note in notes if note is not None]
    return found


def learning_sentences(notes: Sequence[LearningNote]) -> list[str]:
    """Return a sentence for each arm that has notes, with the numbers of its first seed."""
    by_arm: dict[tuple[str, str], list[LearningNote]] = {}
    for note in notes:
        by_arm.setdefault((note.arm, note.verdict), []).append(note)
    return [
        f'"{arm}" {verdict} (seed {", ".join(str(note.seed) for note in found)}): {found[0].words}.'
        for (arm, verdict), found in by_arm.items()
    ]


def _note(arm: str, run: Row, baseline: Row | None) -> LearningNote | None:
    tested = _tested(run, "test_accuracy")
    if tested is None:
        return None
    if not tested.learned:
        return LearningNote(arm, run["seed"], "did not learn", tested.words)
    sequential = None if baseline is None else _tested(baseline, "test_accuracy")
    for other, name in (
        (sequential, "sequential training has"),
        (_tested(run, "best_test_accuracy"), "it had, after an earlier epoch,"),
    ):
        if other is not None and tested.fell_apart_beside(other):
            words = f"{tested.words}, {name} {other.accuracy:.1%}"
            return LearningNote(arm, run["seed"], "fell apart", words)
    return None


def _tested(run: Row, column: str) -> MeasuredAccuracy | None:
    """Return an accuracy of `run`, None where the frames do not say what it is worth."""
    values = run[column], run["test_samples"], run["chance"]
    return None if None in values else MeasuredAccuracy(*values)


def _runs_by_seed(arm: Arm | None) -> Mapping[int, Row]:
    return {} if arm is None else {run["seed"]: run for run in arm.runs}
