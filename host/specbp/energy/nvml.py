"""NVML: what an NVIDIA GPU says that it has taken since its driver was loaded."""

from __future__ import annotations

from specbp.energy.meter import EnergyError, Meter, NoMeter

RESOLUTION_S = 0.1
"""Of the counter, which GPUs update every 20 to 100 ms."""


def open_nvml(uuid: str) -> Meter:
    """Return a meter of the GPU called `uuid`, as CUDA has it, with or without ``GPU-``."""
    try:
        import pynvml
    except ImportError:
        return NoMeter("the GPU's energy counter needs NVML's bindings: pip install nvidia-ml-py")
    name = uuid if uuid.startswith("GPU-") else f"GPU-{uuid}"
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(name)
    except pynvml.NVMLError as error:
        return NoMeter(f"NVML does not know the GPU {name}: {error}")

    def read() -> float:
        try:
            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3
        except pynvml.NVMLError as error:
            raise EnergyError(f"this GPU's energy counter cannot be read: {error}") from error

    return Meter("NVML", {read: 0.0}, RESOLUTION_S)
