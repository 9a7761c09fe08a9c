"""What a backend is to the rest of the program: one record, which names the code that trains."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from specbp.experiment import Experiment

Engine = Literal["thread", "stream", "core"]


def _anywhere(text: str) -> None:
    """Refuse nothing of what stands after a backend's name."""


def _no_reasons(experiment: Experiment) -> Iterator[str]:
    """Yield nothing: there is no reason to refuse an experiment."""
    return iter(())


@dataclass(frozen=True)
class Backend:
    """A place to train.

    Code that only some backends need, with what it imports, is given by its name, as
    ``module:function``, and looked up when it is called.

    Attributes:
        name: what the field `backend` of an experiment says, or begins with.
        form: how the field is written, for messages and help.
        summary: what trains there, for help.
        title: what a reader of a report calls it; the field itself where it is empty.
        engine: what one engine is: an intra-op pool of threads, a stream of a GPU, or a core of
            the overlay.
        schedules: schedules that it runs.
        arithmetics: number formats that it computes in; the first where nothing is said.
        opens: function that opens a training, given the experiment and its data set.
        meter: function that opens the meter of its energy, given the field `backend`.
        executor: function that returns what opens the overlay's executor, given the field
            `backend`; empty where the programs of the overlay are not run.
        pattern: regular expression of the whole field; the name alone unless given.
        usual: what the name alone is short for.
        defaults: values of other fields that a training there has unless they are set.
        splits_sequential: whether two engines can share the steps of sequential training.
        simulated: whether it says how long other hardware would take.
        is_board: whether boards train, which may be simulated themselves.
        require_place: raises a UsageError where what follows the name is none of its places.
        reasons: yields why it does not train an experiment that it has schedule and arithmetic for.
    """

    name: str
    form: str
    summary: str
    engine: Engine
    schedules: tuple[str, ...]
    arithmetics: tuple[str, ...]
    opens: str
    meter: str
    title: str = ""
    executor: str = ""
    pattern: str = ""
    usual: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    splits_sequential: bool = False
    simulated: bool = False
    is_board: bool = False
    require_place: Callable[[str], object] = _anywhere
    reasons: Callable[[Experiment], Iterator[str]] = _no_reasons

    def matches(self, text: str) -> bool:
        """Return whether the field `text` means this backend."""
        return re.fullmatch(self.pattern or re.escape(self.name), text) is not None

    def refusals(self, experiment: Experiment) -> Iterator[str]:
        """Yield why this backend does not train `experiment`, in words for a user."""
        if experiment.arithmetic not in self.arithmetics:
            yield (
                f"{experiment.backend} computes in {' or '.join(self.arithmetics)}, not in "
                f"{experiment.arithmetic}: set arithmetic = {self.arithmetics[0]}"
            )
        if experiment.schedule not in self.schedules:
            yield (
                f"{experiment.backend} runs the schedules {', '.join(self.schedules)}: "
                f"it cannot run {experiment.schedule}"
            )
        one_engine = ["selective"] if self.splits_sequential else ["selective", "sequential"]
        if experiment.schedule in one_engine and experiment.engines != 1:
            yield f"the {experiment.schedule} schedule has one engine: give it threads"
        yield from self.reasons(experiment)


def named_function(name: str) -> Callable[..., Any]:
    """Return the function ``module:function``, its module imported."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found
