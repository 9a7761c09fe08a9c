"""100 random graphs: what autograd computes, and the same bits on both runtimes, resumed or not."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specbp.datasets.loading import load
from tests.graphs import CHANNELS, CLASSES, SIZE, graphs
from tests.runtime.test_graphs import ARMS, assert_as_autograd, assert_same_bits

DATA = load(f"random:{CHANNELS}x{SIZE}x{SIZE}/{CLASSES}", train=64, test=8)
MANY = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@MANY
@given(parts=graphs(without=("dropout",), most=16))
def test_a_graph_computes_what_autograd_does(dtype, parts):
    assert_as_autograd(parts, dtype)


@MANY
@given(parts=graphs(most=16), arm=st.sampled_from(ARMS[:2]))
def test_a_graph_has_the_same_bits_on_both_runtimes_and_resumed(parts, arm):
    assert_same_bits(DATA, parts, arm)


@MANY
@given(parts=graphs(most=16, without=("batch norm",)), arm=st.sampled_from(ARMS[2:]))
def test_a_graph_whose_samples_are_apart_has_them_with_every_schedule(parts, arm):
    assert_same_bits(DATA, parts, arm)
