"""How sums over windows are cut: nothing is lost, and padding is left out where it costs."""

from hypothesis import given, settings
from hypothesis import strategies as st

from specbp.overlay.compiler.correlation_pass import Correlation, Target
from specbp.overlay.compiler.correlation_plan import cost, plans
from specbp.overlay.compiler.emitter import Emitter
from specbp.overlay.compiler.shapes import FeatureMap, Shape, words_of
from specbp.overlay.compiler.side_by_side import side_by_side
from specbp.overlay.parameters import Parameters


def correlation(channels, rows, columns, kernel, padding, outputs, stride=1, samples=2):
    """A convolution's forward; nobody loads its weights."""
    high = (rows + 2 * padding - kernel) // stride + 1
    wide = (columns + 2 * padding - kernel) // stride + 1
    words = words_of(outputs)
    target = Target(
        0, high, wide, 8 * words * high * wide, 8 * words * wide, 8 * words, words, None
    )
    return Correlation(
        layer="0:Conv2d",
        work="forward",
        source=FeatureMap(0, samples, Shape(channels, rows, columns)),
        start=(-padding, -padding),
        stride=(stride, stride),
        taps=(kernel, kernel),
        target=target,
        load_vectors=lambda *_: None,
        pitch=lambda channels: channels,
        bias=None,
        shift=0,
        relu=False,
    )


def best(pass_, lanes):
    emitter = Emitter(Parameters(lanes=lanes))
    return min(plans(emitter, pass_), key=lambda plan: cost(plan, emitter))


def products(pass_, lanes):
    return sum(piece.products for piece in best(pass_, lanes).pieces)


@st.composite
def correlations(draw):
    kernel = draw(st.sampled_from([1, 3, 5]))
    least = max(kernel, 2)
    return correlation(
        channels=draw(st.integers(1, 9)),
        rows=draw(st.integers(least, 14)),
        columns=draw(st.integers(least, 14)),
        kernel=kernel,
        padding=draw(st.integers(0, kernel - 1)),
        outputs=draw(st.integers(1, 20)),
        stride=draw(st.sampled_from([1, 2])),
    )


@settings(max_examples=60, deadline=None)
@given(correlations(), st.sampled_from([16, 32, 64]), st.booleans())
def test_every_plan_has_each_result_once_with_all_taps_it_meets(pass_, lanes, shared):
    emitter = Emitter(Parameters(lanes=lanes))
    if shared:
        pass_ = side_by_side(pass_, emitter.groups)
    found = list(plans(emitter, pass_))
    assert found
    for plan in found:
        seen = []
        for piece in plan.pieces:
            for row in range(*piece.rows):
                for column in range(*piece.columns):
                    seen += [(sample, row, column) for sample in range(*piece.samples)]
                    for dimension, place, taps in (
                        (0, row, piece.taps),
                        (1, column, piece.tap_columns),
                    ):
                        first, end = pass_.taps_met(dimension, place)
                        assert taps[0] <= first and end <= taps[1]
        rows, columns = pass_.results
        assert len(seen) == len(set(seen)) == pass_.source.samples * rows * columns


def test_results_at_the_border_leave_out_taps_on_padding():
    # The input gradient of lenet5's second convolution: half of its taps lie on padding.
    pass_ = correlation(16, 10, 10, kernel=5, padding=4, outputs=32, samples=8)
    met = 8 * (14 * 5 - 20) ** 2
    assert products(pass_, 32) == met < 0.52 * 8 * (14 * 5) ** 2


def test_a_border_that_costs_more_than_it_saves_stays():
    # The forward of a tiny layer: nine pieces would take nine times the overhead.
    pass_ = correlation(1, 4, 4, kernel=3, padding=1, outputs=32, samples=1)
    assert len(best(pass_, 32).pieces) == 1


def test_few_channels_share_the_lanes_in_both_directions():
    pass_ = correlation(1, 28, 28, kernel=5, padding=2, outputs=6, samples=4)
    shared = side_by_side(pass_, groups=8)
    assert shared.neighbours == (2, 2)
    assert shared.taps == (6, 6)
    assert shared.results == (14, 14)
    assert products(shared, 32) < 0.37 * products(pass_, 32)


def test_channels_that_fill_the_lanes_share_nothing():
    pass_ = correlation(3, 8, 8, kernel=3, padding=1, outputs=32)
    assert side_by_side(pass_, groups=8) is pass_
