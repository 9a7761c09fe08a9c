import pytest
import torch

from specbp.schedules.outcome import Outcome, put_rows, rows_of

FORMATS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize("memory_format", FORMATS)
def test_rows_keep_the_memory_format(memory_format):
    images = torch.randn(4, 3, 2, 5).contiguous(memory_format=memory_format)
    index = torch.tensor([2, 0, 2])
    picked = rows_of(images, index)
    assert torch.equal(picked, images[index])
    assert picked.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("memory_format", FORMATS)
def test_slots_keep_shape_and_memory_format_and_take_in_rows(memory_format):
    images = torch.randn(3, 3, 2, 5).contiguous(memory_format=memory_format)
    outcome = Outcome(torch.tensor([7, 8, 9]), torch.rand(3, 2), (None, images > 0), (images, None))
    slots = outcome.slots(6)
    assert slots.inputs[0].is_contiguous(memory_format=memory_format)
    put_rows(slots, torch.tensor([4, 0]), outcome.rows(torch.tensor([2, 1])))
    assert slots.labels.tolist() == [8, 0, 0, 0, 9, 0]
    assert torch.equal(slots.inputs[0][4], images[2])
    assert torch.equal(slots.masks[1][0], images[1] > 0)
    assert not slots.inputs[0][1].any()


def test_a_mask_that_is_the_next_layers_input_is_kept_once():
    shared, alone = torch.randn(3, 4), torch.randn(3, 4)
    outcome = Outcome(torch.tensor([7, 8, 9]), torch.rand(3, 2), (shared, alone), (None, shared))
    slots = outcome.slots(5)
    assert slots.masks[0] is slots.inputs[1]
    put_rows(slots, torch.tensor([4, 0, 1]), outcome)
    assert torch.equal(slots.inputs[1][4], shared[0])
    assert torch.equal(slots.masks[1][0], alone[1])
    rows = outcome.rows(torch.tensor([2, 2]))
    assert rows.masks[0] is rows.inputs[1]


def test_one_row_is_a_view_and_more_are_a_copy():
    outcome = Outcome(torch.tensor([7, 8, 9]), torch.rand(3, 2), (), ())
    one, two = (outcome.rows(torch.tensor(index)) for index in ([1], [1, 2]))
    outcome.labels[1] = 0
    assert one.labels.tolist() == [0]
    assert two.labels.tolist() == [8, 9]
