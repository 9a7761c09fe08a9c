"""The record of the backend `cuda`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from specbp.backends.record import Backend

if TYPE_CHECKING:
    from specbp.experiment import Experiment


def _reasons(experiment: Experiment) -> Iterator[str]:
    if experiment.threads != 1:
        yield "engines on a GPU are streams: leave threads out"
    if experiment.max_age is not None:
        yield "max_age is for the CPU: leave it out on a GPU"


CUDA = Backend(
    name="cuda",
    form="cuda:N",
    summary="cuda or cuda:N, a GPU",
    engine="stream",
    schedules=("sequential", "speculative", "data-parallel"),
    arithmetics=("float32", "int16"),
    opens="specbp.backends.cuda.training:CudaTraining",
    meter="specbp.energy.opening:of_gpu",
    pattern=r"cuda(:\d+)?",
    usual="cuda:0",
    splits_sequential=True,
    reasons=_reasons,
)
