"""Trains in PyTorch with the overlay's integers, and predicts how long the overlay takes."""

from __future__ import annotations

from specbp.arithmetic.int16 import Int16
from specbp.backends import StepRow
from specbp.backends.cpu.training import CpuTraining
from specbp.backends.overlay.programs import programs_of
from specbp.datasets.loading import Dataset
from specbp.experiment import Experiment
from specbp.overlay.cycles import predict
from specbp.overlay.hwh import CLOCK_MHZ


class ModelTraining(CpuTraining):
    """One experiment in progress; see `specbp.backends.Training`.

    The weights are those of the overlay in every bit. How long a step takes depends on the data
    only where the gate rejects samples, and there only on how many.

    Args:
        experiment: what to train, and how; int16.
        dataset: the loaded data set of the experiment.

    Raises:
        UsageError: the model does not fit the data or the overlay, or a batch is larger than the
            training set.
    """

    def __init__(self, experiment: Experiment, dataset: Dataset) -> None:
        super().__init__(experiment, dataset)
        assert isinstance(self._arithmetic, Int16)
        self._programs = programs_of(experiment, self._recipe.network, self._arithmetic.scales)
        self._cycles: dict[int, int] = {}
        self.about = {**self.about, "simulated": True, "board": "cycle model"}

    def advance(self, steps: int) -> list[StepRow]:
        """Do the next `steps` training steps and return a row for each."""
        return [
            {**row, "cycles": self._cycles_of(row["rejects"] or 0), "clock_mhz": CLOCK_MHZ}
            for row in super().advance(steps)
        ]

    def _cycles_of(self, rejects: int) -> int:
        """Return the cycles of a step in which so many samples were rejected."""
        if rejects not in self._cycles:
            program = self._programs.of(rejects)
            self._cycles[rejects] = predict(program, rejects=rejects).total
        return self._cycles[rejects]
