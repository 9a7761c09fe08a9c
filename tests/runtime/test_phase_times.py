"""The phases of a step are the sums of its spans, by hand."""

import numpy as np
import pytest
import torch

from specbp.backends.recipe import correct_of_steps, count_correct
from specbp.plan.tasks import KINDS
from specbp.runtime.accounting import phase_times
from specbp.runtime.step import WAIT, StepResults


def test_phases_are_the_sums_of_their_spans_in_each_step():
    kind = {name: number for number, name in enumerate(KINDS)} | {"wait": WAIT}
    spans = [
        # step, engine, kind, node, started, ended
        (0, 0, kind["load"], 0, 0.000, 0.001),
        (0, 0, kind["forward"], 0, 0.001, 0.003),
        (0, 1, kind["forward"], 1, 0.001, 0.002),
        (0, 1, kind["input_grad"], 1, 0.002, 0.006),
        (0, 0, kind["weight_grad"], 1, 0.003, 0.005),
        (0, 0, WAIT, -1, 0.005, 0.006),
        (0, 1, WAIT, -1, 0.006, 0.007),
        (1, 0, kind["update"], 0, 0.010, 0.013),
        (1, 1, kind["reduce_grad"], 0, 0.010, 0.011),
        (1, 1, kind["weight_grad"], 0, 0.011, 0.013),
        (1, 0, kind["lookup"], 0, 0.013, 0.014),
    ]
    nothing = torch.zeros(2, 1)
    times = np.array([(0.0, 0.008), (0.010, 0.015)])
    found = phase_times(
        StepResults(nothing, nothing[..., None], nothing.bool(), times, np.array(spans))
    )
    expected = {
        "step_ms": (8, 5), "load_ms": (1, 0), "forward_ms": (3, 0), "backward_ms": (6, 2),
        "weight_gradient_ms": (2, 2), "gate_ms": (0, 0), "update_ms": (0, 4), "recall_ms": (0, 1),
        "wait_ms": (1, 0), "engine_1_forward_ms": (1, 0), "engine_1_input_gradient_ms": (4, 0),
        "engine_1_weight_gradient_ms": (0, 2),
    }  # fmt: skip
    for name, ms in expected.items():
        assert found[name].tolist() == pytest.approx(ms), name


def test_correct_samples_of_steps_are_those_of_each():
    """Of equals the first class counts, and what is not a number has none."""
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.rand(5, 8, 3, generator=generator)
    probabilities[1, :4] = 1 / 3
    probabilities[2, :4] = torch.nan
    labels = torch.randint(0, 3, (5, 8), generator=generator)
    expected = [count_correct(*one) for one in zip(probabilities, labels, strict=True)]
    assert correct_of_steps(probabilities, labels) == expected
    assert len(set(expected)) > 1
