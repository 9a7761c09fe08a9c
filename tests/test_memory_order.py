import torch

from specbp.memory_order import channels_together, in_memory_order


def test_kernels_in_channels_last_order_are_seen_as_they_lie_without_a_copy():
    kernel = torch.randn(8, 3, 5, 5).contiguous(memory_format=torch.channels_last)
    assert channels_together(kernel)
    seen = in_memory_order(kernel)
    assert seen.is_contiguous() and seen.shape == (8, 5, 5, 3)
    assert seen.data_ptr() == kernel.data_ptr()


def test_what_lies_in_order_already_is_itself():
    for one in (torch.randn(8, 3, 5, 5), torch.randn(8, 1, 5, 5), torch.randn(4, 6)):
        assert in_memory_order(one) is one
