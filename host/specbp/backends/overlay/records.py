"""The records of the overlay: its cycle model, its simulation, and boards by three ways.

All train with the same integers, and refuse the same experiments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from specbp.backends.record import Backend
from specbp.deploy.address import parse_address
from specbp.deploy.fleet import split_backend

if TYPE_CHECKING:
    from specbp.experiment import Experiment

LANES = (16, 32, 64)
"""Multiply-accumulate lanes that a core can have."""
KEYS = ("label", "batch")
"""Keys that the overlay's cache can have."""


def _reasons(experiment: Experiment) -> Iterator[str]:
    if experiment.lanes not in LANES:
        yield f"lanes = {experiment.lanes}: choose one of {', '.join(map(str, LANES))}"
    if experiment.schedule != "speculative":
        return
    if experiment.engines != 2:
        yield "the overlay speculates on two cores: leave engines at 2"
    if experiment.key not in KEYS:
        yield f'the overlay has the keys {" and ".join(KEYS)}, not "{experiment.key}"'
    for name in ("gate_target", "max_age", "warmup_epochs"):
        if getattr(experiment, name):
            yield f"the overlay has no {name}: leave it out with {experiment.backend}"


RTL = Backend(
    name="sim:rtl",
    form="sim:rtl",
    summary="the overlay simulated cycle by cycle",
    title="overlay simulated clock for clock",
    engine="core",
    schedules=("sequential", "speculative"),
    arithmetics=("int16",),
    opens="specbp.backends.overlay.opening:open_training",
    executor="specbp.backends.overlay.opening:on_simulation",
    meter="specbp.energy.opening:of_simulation",
    defaults={"arithmetic": "int16", "lanes": LANES[0]},
    splits_sequential=True,
    simulated=True,
    reasons=_reasons,
)
MODEL = replace(
    RTL,
    name="sim:model",
    form="sim:model",
    summary="the same integers on the CPU with the overlay's cycles predicted",
    title="overlay predicted by the cycle model",
    opens="specbp.backends.overlay.model:ModelTraining",
    executor="",
)
OVER_SSH = replace(
    RTL,
    name="pynq://",
    form="pynq://HOST",
    pattern="pynq://.*",
    summary="pynq://[USER@]HOST[:PORT], a board",
    title="",
    executor="specbp.backends.overlay.opening:over_ssh",
    meter="specbp.energy.opening:of_board",
    simulated=False,
    is_board=True,
    require_place=parse_address,
)
PYNQ_REMOTE = replace(
    OVER_SSH,
    name="remote://",
    form="remote://HOST",
    pattern="remote://.*",
    summary="remote://HOST:PORT, one that speaks PYNQ.remote",
    executor="specbp.backends.overlay.opening:over_pynq_remote",
    meter="specbp.energy.opening:over_pynq_remote",
)
FLEET = replace(
    OVER_SSH,
    name="fleet:",
    form="fleet:FILE",
    pattern="fleet:.*",
    summary="fleet:FILE or fleet:FILE#BOARD, one of the boards in a file",
    executor="specbp.backends.overlay.opening:in_fleet",
    meter="specbp.energy.opening:in_fleet",
    require_place=split_backend,
)
