"""The record of the backend `cpu`."""

from __future__ import annotations

from specbp.backends.record import Backend

CPU = Backend(
    name="cpu",
    form="cpu",
    summary="this machine's processor",
    title="PyTorch on the CPU",
    engine="thread",
    schedules=("sequential", "speculative", "deferred", "data-parallel", "selective"),
    arithmetics=("float32", "int16"),
    opens="specbp.backends.cpu.training:CpuTraining",
    meter="specbp.energy.opening:of_processor",
)
