"""The learning rate of each step."""

from __future__ import annotations

import math

from specbp.experiment import Experiment


def learning_rate(
    experiment: Experiment, step: int, total_steps: int, steps_per_epoch: int | None = None
) -> float:
    """Return the learning rate of `step` (from 0) out of `total_steps`.

    Where the experiment names a scheduler of PyTorch, it says the rate, for which it may need the
    steps of an epoch.

    It rises linearly over the first `learning_rate_warmup` share of the steps and then stays, or
    falls along half a cosine (Loshchilov & Hutter, "SGDR", ICLR 2017) to zero at the end.
    """
    if experiment.scheduler is not None:
        from specbp.scheduler import scheduled_rates  # here, because it imports PyTorch

        rates = scheduled_rates(
            experiment.scheduler,
            experiment.learning_rate,
            experiment.momentum,
            total_steps,
            steps_per_epoch or total_steps,
        )
        return rates[min(step, total_steps - 1)]
    warmup_steps = experiment.learning_rate_warmup * total_steps
    if step < warmup_steps:
        return experiment.learning_rate * (step + 1) / (warmup_steps + 1)
    if experiment.learning_rate_decay == "constant":
        return experiment.learning_rate
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return experiment.learning_rate * (1 + math.cos(math.pi * progress)) / 2
