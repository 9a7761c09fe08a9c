import pytest
import torch

from specbp.schedules.outcome import Outcome, combine, joined, only, rows_of

FORMATS = [torch.contiguous_format, torch.channels_last]


def test_all_rows_are_handed_out_without_a_copy_and_some_as_a_copy():
    tensors = [torch.arange(3), None]
    assert only(tensors, torch.tensor([0, 1, 2])) is tensors
    some = only(tensors, torch.tensor([0, 2]))
    assert some[0].tolist() == [0, 2]
    assert some[1] is None


@pytest.mark.parametrize("memory_format", FORMATS)
def test_rows_keep_the_memory_format(memory_format):
    images = torch.randn(4, 3, 2, 5).contiguous(memory_format=memory_format)
    index = torch.tensor([2, 0, 2])
    picked = rows_of(images, index)
    assert torch.equal(picked, images[index])
    assert picked.is_contiguous(memory_format=memory_format)
    together = joined([images[1:2], images[3:4]])
    assert torch.equal(together, images[[1, 3]])
    assert together.is_contiguous(memory_format=memory_format)


def test_outcomes_combine_tensor_by_tensor():
    def outcome(value):
        rows = torch.full((1, 2), float(value))
        return Outcome(torch.tensor([value]), rows, (None, rows), (rows, None))

    both = combine([outcome(3), outcome(5)], joined)
    assert both.labels.tolist() == [3, 5]
    assert both.masks[0] is None and both.inputs[1] is None
    assert both.masks[1].tolist() == [[3, 3], [5, 5]]
