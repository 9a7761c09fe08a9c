"""Trains in PyTorch with the overlay's integers, and predicts how long the overlay takes."""

from __future__ import annotations

from specbp.arithmetic.int16 import Int16
from specbp.backends import StepRow
from specbp.backends.pytorch import PytorchTraining
from specbp.datasets.loading import Dataset
from specbp.experiment import Experiment
from specbp.overlay.compiler import compile_step
from specbp.overlay.cycles import predict
from specbp.overlay.hwh import CLOCK_MHZ
from specbp.overlay.parameters import Parameters


class ModelTraining(PytorchTraining):
    """One experiment in progress; see `specbp.backends.Training`.

    The weights are those of the overlay in every bit. A program takes equally long in every step,
    since nothing that it does depends on the data.

    Args:
        experiment: what to train, and how; int16 and sequential.
        dataset: the loaded data set of the experiment.

    Raises:
        UsageError: the model does not fit the data or the overlay, or a batch is larger than the
            training set.
    """

    def __init__(self, experiment: Experiment, dataset: Dataset) -> None:
        super().__init__(experiment, dataset)
        assert experiment.lanes is not None and isinstance(self._arithmetic, Int16)
        compiled = compile_step(
            self._recipe.network,
            self._arithmetic.scales,
            experiment.batch_size,
            Parameters(lanes=experiment.lanes),
        )
        self._cycles = predict(compiled).total
        self.about = {"simulated": True, "board": "cycle model"}

    def advance(self, steps: int) -> list[StepRow]:
        """Do the next `steps` training steps and return a row for each."""
        return [
            {**row, "cycles": self._cycles, "clock_mhz": CLOCK_MHZ}
            for row in super().advance(steps)
        ]
