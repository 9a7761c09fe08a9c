import pytest
import torch

from specbp.errors import UsageError
from specbp.frames import table
from specbp.matrix.checkpoint import Checkpoint, Saved
from specbp.matrix.store import parquet


def saved(round_number, steps, value=0.0):
    training = {"step": steps, "weights": [torch.full((2,), value)]}
    arms = {"aa": {"training": training, "epochs": []}}
    return Saved("session", "2026-01-01T00:00:00+00:00", round_number, "m", {}, arms=arms)


def rows(*steps):
    return [{"cell": "aa", "step": step} for step in steps]


def test_nothing_was_saved_at_first(tmp_path):
    assert Checkpoint(tmp_path / "none").read() is None


def test_the_last_state_and_all_rows_are_read_back(tmp_path):
    first = Checkpoint(tmp_path)
    first.write(saved(1, 2), rows(0, 1))
    first.write(saved(2, 3, value=5.0), rows(2))
    again = Checkpoint(tmp_path)
    read = again.read()
    assert read.round == 2
    assert read.arms["aa"]["training"]["weights"][0].tolist() == [5.0, 5.0]
    assert again.steps().column("step").to_pylist() == [0, 1, 2]


def test_rows_written_just_before_the_process_died_are_written_again(tmp_path):
    first = Checkpoint(tmp_path)
    first.write(saved(1, 2), rows(0, 1))
    state = (tmp_path / "state.pt").read_bytes()
    first.write(saved(2, 4), rows(2, 3))
    (tmp_path / "state.pt").write_bytes(state)
    again = Checkpoint(tmp_path)
    assert again.read().round == 1
    again.write(saved(2, 4), rows(2, 3))
    assert again.steps().column("step").to_pylist() == [0, 1, 2, 3]


def test_a_truncated_checkpoint_is_named_with_what_to_do(tmp_path):
    Checkpoint(tmp_path).write(saved(1, 1), rows(0))
    state = tmp_path / "state.pt"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(UsageError, match="--fresh"):
        Checkpoint(tmp_path).read()


def test_after_deleting_the_next_checkpoint_is_the_first(tmp_path):
    checkpoint = Checkpoint(tmp_path / "c")
    checkpoint.write(saved(1, 2), rows(0, 1))
    checkpoint.delete()
    assert checkpoint.read() is None
    checkpoint.write(saved(1, 1), rows(0))
    assert checkpoint.steps().column("step").to_pylist() == [0]


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def of_another_cell(path):
    path.write_bytes(parquet(table("steps", [{"cell": "bb", "step": 1}])))


DAMAGE = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut": half,
    "flipped": flip,
    "of another cell": of_another_cell,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_damaged_part_of_the_steps_is_found_when_training_is_resumed(tmp_path, damage, part):
    """Kind: found only after the resumed training has ended, when its rows are put together."""
    checkpoint = Checkpoint(tmp_path)
    for step in range(3):
        checkpoint.write(saved(step, step + 1), rows(step))
    DAMAGE[damage](tmp_path / f"steps-{part:05d}.parquet")
    with pytest.raises(UsageError, match="train its cells from the start with --fresh") as error:
        Checkpoint(tmp_path).read()
    assert "\n" not in str(error.value) and f"steps-{part:05d}.parquet" in str(error.value)


@pytest.mark.parametrize("written", [(0,), (0, 1, 2), (0, 0), (1, 0), (0, 2)])
def test_rows_that_are_not_those_of_the_steps_done_are_found(tmp_path, written):
    """Kind: files that are each as they were stored, and do not belong together."""
    Checkpoint(tmp_path).write(saved(1, 2), rows(*written))
    with pytest.raises(UsageError, match="steps of the cell aa are missing"):
        Checkpoint(tmp_path).read()
