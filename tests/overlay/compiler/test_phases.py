"""Which windows lie on an input position, against all windows and taps."""

from hypothesis import given
from hypothesis import strategies as st

from specbp.overlay.compiler.phases import phases
from specbp.overlay.compiler.shapes import Window


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 4), st.integers(1, 12))
def test_phases_list_every_window_on_every_input(kernel, stride, padding, inputs):
    outputs = (inputs + 2 * padding - kernel) // stride + 1
    window = Window((kernel, 1), (stride, 1), (padding, 0))
    expected = {
        (i * stride + tap - padding, i, tap)
        for i in range(max(outputs, 0))
        for tap in range(kernel)
    }
    found = [
        (phase.first + u * stride, phase.start + u + number, phase.tap(number))
        for phase in phases(window, 0, inputs)
        for u in range(phase.count)
        for number in range(phase.taps)
    ]
    assert len(found) == len(set(found))
    inside = {(p, i, tap) for p, i, tap in found if 0 <= i < outputs}
    assert inside == {(p, i, tap) for p, i, tap in expected if 0 <= p < inputs}
    positions = [
        phase.first + u * stride for phase in phases(window, 0, inputs) for u in range(phase.count)
    ]
    assert sorted(positions) == list(range(inputs))
