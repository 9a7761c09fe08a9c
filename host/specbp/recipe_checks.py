"""What augmentation, label smoothing and schedulers go together with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specbp.experiment import Experiment


def require_recipe(experiment: Experiment) -> None:
    """Refuse parts of a recipe that have no effect or cannot be executed.

    Raises:
        ValueError: there are some.
    """
    if experiment.random_flip is False:
        raise ValueError("random_flip = false is what it is without it: leave it out")
    if experiment.label_smoothing is not None and experiment.arithmetic != "float32":
        raise ValueError("label_smoothing needs arithmetic = float32")
    if experiment.augments and experiment.backend != "cpu":
        names = [n for n in ("random_flip", "random_crop", "cutout") if getattr(experiment, n)]
        raise ValueError(f"{names[0]} needs backend = cpu: no other one augments images yet")
    if experiment.scheduler is not None:
        for name, usual in (("learning_rate_decay", "constant"), ("learning_rate_warmup", 0.0)):
            if getattr(experiment, name) != usual:
                raise ValueError(f"scheduler and {name} both say how the rate changes: choose one")
