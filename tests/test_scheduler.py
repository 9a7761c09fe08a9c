"""Learning rates by schedulers of PyTorch."""

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR, StepLR

from specbp.errors import UsageError
from specbp.experiment import experiment_from
from specbp.learning_rate import learning_rate
from specbp.scheduler import scheduled_rates


def in_pytorch(make, steps, rate=0.5):
    """The rates that a loop in PyTorch trains with."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate, momentum=0.9)
    scheduler = make(optimiser)
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step() if len(rates) < steps else None
    return rates


@pytest.mark.parametrize(
    ("text", "make"),
    [
        ("StepLR(step_size=2*epoch, gamma=0.1)", lambda o: StepLR(o, 10, 0.1)),
        (
            "OneCycleLR(max_lr=0.8, total_steps=steps, cycle_momentum=False)",
            lambda o: OneCycleLR(o, 0.8, total_steps=30, cycle_momentum=False),
        ),
    ],
)
def test_rates_are_those_of_a_loop_in_pytorch(text, make):
    experiment = experiment_from({"scheduler": text, "learning_rate": 0.5})
    found = [learning_rate(experiment, step, 30, 5) for step in (*range(30), 30)]
    assert found[:30] == in_pytorch(make, 30)
    assert found[30] == found[29], "the step after the last, which prediction asks for"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SteppLR(step_size=3)", "torch.optim.lr_scheduler has no SteppLR"),
        ("StepLR(", "write it as NAME"),
        ("StepLR(3)", "write it as NAME"),
        ("StepLR(step_size=__import__('os'))", "is no number"),
        ("StepLR(size=3)", "TypeError: .*size"),
        ("OneCycleLR(max_lr=0.8, total_steps=steps)", "it changes the momentum"),
        ("ReduceLROnPlateau()", "TypeError"),
        ("ExponentialLR(gamma=-1)", "a learning rate that is no number"),
    ],
)
def test_what_cannot_be_tabulated_is_refused_in_a_line(text, reason):
    with pytest.raises(UsageError, match=reason) as refusal:
        scheduled_rates(text, 0.5, 0.9, 30, 5)
    assert "\n" not in str(refusal.value)
    assert text in str(refusal.value)
