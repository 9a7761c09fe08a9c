"""Trainings at chance, and arms that fell apart, are named wherever accuracies are shown."""

import pytest

from specbp.report import markdown
from specbp.report.compare import summarise
from specbp.report.headline import cautions
from specbp.report.learning import learning_notes
from specbp.report.pairing import comparisons
from specbp.report.summary import SHARES_CORES
from specbp.report.wording import summary_rows

TESTED = {"test_samples": 360, "chance": 0.1}


def arm(cell, accuracy, best=None, **fields):
    columns = {**TESTED, "best_test_accuracy": best or accuracy}
    return cell(accuracy=accuracy, columns=columns, **fields)


def notes(frames):
    (comparison,) = comparisons(frames.runs)
    return [(note.arm, note.seed, note.verdict) for note in learning_notes(comparison)]


def test_a_training_at_chance_did_not_learn(cell, gather):
    frames = gather(arm(cell, 0.98), arm(cell, 0.1, schedule="pipelined"))
    assert notes(frames) == [("pipelined", 0, "did not learn")]
    (comparison,) = summarise(frames).comparisons
    assert '"pipelined" did not learn (seed 0): 10.0% right, chance is 10.0%.' in cautions(
        comparison
    )
    assert any(one.remark == "did not learn" for row in summary_rows(comparison) for one in row)
    assert "did not learn" in markdown.render(summarise(frames), "title")


def test_an_arm_that_lost_what_its_baseline_gained_fell_apart(cell, gather):
    frames = gather(
        *(arm(cell, 0.98, seed=seed) for seed in range(2)),
        *(arm(cell, 0.3, seed=seed, schedule="pipelined") for seed in range(2)),
    )
    assert notes(frames) == [("pipelined", 0, "fell apart"), ("pipelined", 1, "fell apart")]
    (words,) = cautions(summarise(frames).comparisons[0])
    assert words == (
        '"pipelined" fell apart (seed 0, 1): 30.0% right, chance is 10.0%, '
        "sequential training has 98.0%."
    )


def test_a_training_that_fell_from_an_earlier_epoch_is_named_without_a_baseline(cell, gather):
    frames = gather(arm(cell, 0.25, best=0.8, schedule="pipelined"))
    assert notes(frames) == [("pipelined", 0, "fell apart")]


@pytest.mark.parametrize("dataset", ["digits", "random:1x8x8/10"])
def test_what_went_well_and_synthetic_data_have_no_note(cell, gather, dataset):
    accuracy = 0.95 if dataset == "digits" else 0.1
    frames = gather(arm(cell, 0.98, dataset=dataset),
                    arm(cell, accuracy, dataset=dataset, schedule="pipelined"))  # fmt: skip
    assert notes(frames) == []


def test_frames_that_do_not_say_what_chance_is_have_no_note(cell, gather):
    assert notes(gather(cell(accuracy=0.1))) == []


@pytest.mark.parametrize(("cores", "shares"), [(1, True), (2, False), (None, False)])
def test_the_times_of_engines_that_shared_a_core_are_not_compared(cell, gather, cores, shares):
    """Kind: engines that do not run at the same time, timed as if they did."""
    frames = gather(cell(), cell(schedule="pipelined", columns={"cores_verified": cores}))
    (comparison,) = summarise(frames).comparisons
    against = {arm.name: arm.one_thread for arm in comparison.arms}
    assert (against["pipelined"] == SHARES_CORES) is shares


@pytest.mark.parametrize(
    ("received", "words"),
    [
        (1.2, '"pipelined": other work on the machine left it 1.20 of 2 cores when its training'),
        (1.9, ""),
        (None, ""),
    ],
)
def test_an_arm_that_other_work_took_cores_from_is_named(cell, gather, received, words):
    """Kind: times of a busy machine beside those of an idle one."""
    frames = gather(cell(), cell(schedule="pipelined", columns={"cores_received": received}))
    (comparison,) = summarise(frames).comparisons
    said = [sentence for sentence in cautions(comparison) if "cores" in sentence]
    assert len(said) == bool(words) and all(sentence.startswith(words) for sentence in said)
