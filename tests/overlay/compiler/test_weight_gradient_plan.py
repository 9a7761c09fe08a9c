"""How weight gradients are cut, and how taps share the lanes."""

import pytest

from specbp.overlay.compiler.emitter import Emitter
from specbp.overlay.compiler.shapes import FeatureMap, Shape, Trained, Window
from specbp.overlay.compiler.weight_gradient_plan import WeightGradient, cost, plans, whole_kernel
from specbp.overlay.parameters import Parameters


def weight_gradient(channels, rows, kernel, padding, outputs, stride=1, samples=4):
    """Of a square convolution; nothing of it lies in memory."""
    trained = Trained((kernel, kernel), channels, outputs, 0, (0, 0, 0), (0, 0, 0))
    high = (rows + 2 * padding - kernel) // stride + 1
    return WeightGradient(
        layer="0:Conv2d",
        trained=trained,
        window=Window((kernel, kernel), (stride, stride), (padding, padding)),
        source=FeatureMap(0, samples, Shape(channels, rows, rows)),
        deltas=FeatureMap(0, samples, Shape(outputs, high, high)),
        weight_shift=0,
        bias_shift=0,
        part=whole_kernel(trained),
    )


def best(pass_, lanes):
    emitter = Emitter(Parameters(lanes=lanes))
    return min(plans(emitter, pass_), key=lambda plan: cost(plan, emitter))


def products(plan):
    positions = sum(plan.positions(tile) for tile in plan.tiles)
    return positions * sum(plan.results(chunk) for chunk in plan.chunks)


def test_taps_share_the_lanes_where_output_channels_leave_room():
    # The first layer of lenet5: 6 channels for 32 lanes. Four taps at once, in nine results for 25.
    pass_ = weight_gradient(1, 28, kernel=5, padding=2, outputs=6)
    plan = best(pass_, 32)
    assert plan.neighbours == (2, 2)
    assert products(plan) < 0.42 * 4 * 28 * 28 * 25


@pytest.mark.parametrize("outputs, stride", [(32, 1), (6, 2)])
def test_no_taps_share_the_lanes_where_channels_fill_them_or_windows_are_apart(outputs, stride):
    pass_ = weight_gradient(3, 12, kernel=3, padding=1, outputs=outputs, stride=stride)
    assert best(pass_, 32).neighbours == (1, 1)


def test_every_tile_has_its_deltas_and_what_they_meet():
    pass_ = weight_gradient(6, 14, kernel=5, padding=0, outputs=16)
    for plan in plans(Emitter(Parameters(lanes=32)), pass_):
        rows, columns = plan.neighbours
        for tile in plan.tiles:
            high, wide = plan.grid(tile)
            assert (high, wide) == (tile.rows[1] - tile.rows[0] + rows - 1, 10 + columns - 1)
            region = plan.region(tile, plan.chunks[0])
            # The last tap of the last result meets the last position.
            taps = plan.counts(plan.chunks[0])
            assert region.rows[1] - region.rows[0] == high + (taps[0] - 1) * rows
            assert region.columns[1] - region.columns[0] == wide + (taps[1] - 1) * columns
