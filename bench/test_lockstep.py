"""Random small networks on the simulated overlay against PyTorch, with and without random stalls.

SPECBP_NETWORKS says how many, 200 unless set; the same ones every time.
"""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("pynq", reason="needs the extra fpga")

from specbp.lockstep.compare import Progress, compare
from specbp.lockstep.sides import OverlaySide, PytorchSide
from specbp.overlay.parameters import Parameters
from specbp.simulation.executor import SimulatedExecutor
from tests.overlay.networks import small_recipes

NETWORKS = int(os.environ.get("SPECBP_NETWORKS", "200"))
STALLS = 0.3


@settings(
    max_examples=NETWORKS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(small_recipes(), st.sampled_from([16, 32, 64]))
def test_random_networks_are_identical(recipe, lanes):
    for stalls in (0.0, STALLS):
        executors = []

        def opened(parameters, size, stalls=stalls, executors=executors):
            executors.append(SimulatedExecutor(parameters, size))
            executors[0].device.model.set_stalls(1, stalls)
            return executors[0]

        try:
            side = OverlaySide(recipe, Parameters(lanes=lanes), opened)
            *_, last = compare(PytorchSide(recipe), side, 2)
            assert isinstance(last, Progress), str(last)
            assert executors[0].device.model.violations == 0
        finally:
            for executor in executors:
                executor.close()
