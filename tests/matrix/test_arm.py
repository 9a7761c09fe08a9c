"""What is known of a cell when it ends."""

import math
import warnings

import numpy as np
import pyarrow as pa

from specbp.matrix.arm import passes_of
from specbp.plan.bound import Passes


def steps(forward, backward, weight_gradient, update):
    times = {
        "forward": forward,
        "backward": backward,
        "weight_gradient": weight_gradient,
        "update": update,
    }
    return pa.table({f"{name}_ms": pa.array(ms, pa.float64()) for name, ms in times.items()})


def test_passes_are_averages_of_the_steps_that_were_timed():
    timed = steps(
        [1.0, None, 2.0, 6.0], [5.0, None, 7.0, 9.0], [2.0, None, 3.0, 4.0], [0.5, None, 0.5, 0.8]
    )
    assert passes_of(timed) == Passes(2.0, 4.0, 3.0, 0.5)
    assert passes_of(timed, np.mean) == Passes(3.0, 4.0, 3.0, 0.6)


def test_where_no_step_was_timed_passes_are_not_numbers_and_nobody_is_warned():
    """As on an overlay, which has cycles instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        passes = passes_of(steps([None], [None], [None], [None]))
    assert math.isnan(passes.forward) and math.isnan(passes.sequential)
