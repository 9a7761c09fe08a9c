"""Learning rates by any scheduler of PyTorch, tabulated: the rate stays a function of the step."""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch.optim import lr_scheduler

from specbp.errors import UsageError

_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
_FORM = "write it as NAME(setting=value), such as StepLR(step_size=10*epoch, gamma=0.1)"


@lru_cache(maxsize=64)
def scheduled_rates(
    scheduler: str, rate: float, momentum: float, steps: int, steps_per_epoch: int
) -> tuple[float, ...]:
    """Return the learning rate of each step of a training.

    Args:
        scheduler: name of a class of `torch.optim.lr_scheduler` and its settings, numbers, such as
            ``OneCycleLR(max_lr=0.1, total_steps=steps)``. ``steps`` stands for the steps of the
            training, ``epoch`` for those of an epoch.
        rate: learning rate of the optimiser that it is given.
        momentum: momentum of that optimiser, which stays.
        steps: steps of the training.
        steps_per_epoch: steps of an epoch.

    Raises:
        UsageError: there is no such scheduler, or it cannot be used so.
    """
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate, momentum=momentum)
    name, settings = _parsed(scheduler, {"steps": steps, "epoch": steps_per_epoch})
    kind = getattr(lr_scheduler, name, None)
    if not (isinstance(kind, type) and issubclass(kind, lr_scheduler.LRScheduler)):
        raise UsageError(
            f'scheduler = "{scheduler}": torch.optim.lr_scheduler has no {name}: {_FORM}'
        )
    try:
        made = kind(optimiser, **settings)
        rates = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # no optimiser steps here
            for step in range(steps):
                rates.append(float(optimiser.param_groups[0]["lr"]))
                if step + 1 < steps:
                    made.step()
    except Exception as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(f'scheduler = "{scheduler}": {words}') from error
    if any(not 0 <= one < float("inf") for one in rates):
        raise UsageError(f'scheduler = "{scheduler}": it gives a learning rate that is no number')
    if optimiser.param_groups[0]["momentum"] != momentum:
        raise UsageError(
            f'scheduler = "{scheduler}": it changes the momentum, which stays here: give it '
            "cycle_momentum=False"
        )
    return tuple(rates)


def require_form(scheduler: str) -> None:
    """Refuse what is no name of a scheduler with settings; which there are is not looked at.

    Raises:
        UsageError: it is not.
    """
    _parsed(scheduler, {"steps": 1, "epoch": 1})


def _parsed(text: str, names: dict[str, int]) -> tuple[str, dict[str, Any]]:
    """Return name and settings; nothing in the text is executed."""
    try:
        call = ast.parse(text, mode="eval").body
        if isinstance(call, ast.Name):
            return call.id, {}
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError(_FORM)
        return call.func.id, {
            str(keyword.arg): _value(keyword.value, names) for keyword in call.keywords
        }
    except (SyntaxError, ValueError, ZeroDivisionError) as error:
        reason = _FORM if isinstance(error, SyntaxError) else error
        raise UsageError(f'scheduler = "{text}": {reason}') from error


def _value(node: ast.expr, names: dict[str, int]) -> Any:
    match node:
        case ast.Constant(value=int() | float() | str() | bool() as value):
            return value
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, names)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, names), _value(right, names))
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item, names) for item in items]
    raise ValueError(f"{ast.unparse(node)} is no number: {_FORM}; steps and epoch are known")
