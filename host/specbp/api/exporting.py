"""Trained weights for other programs: a state_dict for PyTorch, or ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from specbp.datasets.catalog import describe
from specbp.errors import NothingMeasuredError, UsageError
from specbp.matrix.store import Store
from specbp.network.models import build
from specbp.weights import SavedWeights, read_weights

FORMATS = {"state-dict": ".pt", "onnx": ".onnx"}
"""The formats, and how the names of their files end."""


def saved_cells(results: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of the frame `runs` of the cells whose weights were saved, by hash.

    Raises:
        UsageError: there is no such folder.
        NothingMeasuredError: no cell has its weights there.
    """
    store = Store.open(results)
    runs = store.stored().runs
    found = {cell: dict(run) for cell, run in runs.items() if store.weights_file(cell).is_file()}
    if not found:
        raise NothingMeasuredError(
            f"{results}: no weights were saved there: train with --save-weights"
        )
    return found


def weights_of(results: Path, cell: str | None = None) -> tuple[dict[str, Any], SavedWeights]:
    """Return the row of a cell in the frame `runs`, and its weights.

    Args:
        results: the results folder.
        cell: how the hash of the cell begins, or the name of its arm; None for the only one.

    Raises:
        UsageError: there is no such cell, or there are several.
    """
    cells = saved_cells(results)
    chosen = [
        one
        for one, run in cells.items()
        if cell is None or one.startswith(cell) or run["arm"] == cell
    ]
    if len(chosen) != 1:
        listed = ", ".join(
            f"{one} ({run['arm']}, seed {run['seed']})" for one, run in cells.items()
        )
        what = "no cell" if not chosen else f"{len(chosen)} cells"
        raise UsageError(f"{results}: {what} of that name: choose with --cell one of {listed}")
    return cells[chosen[0]], read_weights(Store(results).weights_file(chosen[0]))


def export(results: Path, to: str, output: Path | None = None, cell: str | None = None) -> Path:
    """Write the trained weights of a cell for other programs, and return the file.

    Args:
        results: the results folder.
        to: ``state-dict`` for ``model.load_state_dict(torch.load(FILE))``, or ``onnx``. Either has
            float32 weights; int16 weights have the values that the overlay computes with.
        output: file to write; ``HASH.pt`` or ``HASH.onnx`` in the results folder unless set.
        cell: how the hash of the cell begins, or the name of its arm; None for the only one.

    Raises:
        UsageError: there is no such cell, or what ONNX needs is not installed.
    """
    if to not in FORMATS:
        raise UsageError(f'--to "{to}": choose one of {", ".join(FORMATS)}')
    run, weights = weights_of(results, cell)
    path = output or results / f"{run['cell']}{FORMATS[to]}"
    try:
        if to == "state-dict":
            torch.save(weights.state_dict, path)
        else:
            _write_onnx(run, weights, path)
    except OSError as error:
        raise UsageError(f"--output {path}: it cannot be written: {error.strerror}") from error
    return path


def _write_onnx(run: dict[str, Any], weights: SavedWeights, path: Path) -> None:
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise UsageError('ONNX needs onnx: pip install "specbp[onnx]"') from None
    info = describe(run["dataset"])
    channels, height, width = info.image_shape
    model = build(run["model"], channels, info.classes, run["seed"])
    model.load_state_dict(weights.state_dict, strict=False)
    model.eval()
    with warnings.catch_warnings():
        # The exporter by tracing is old, and the only one that needs no further packages.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (torch.zeros(1, channels, height, width),), str(path),
            input_names=["images"], output_names=["logits"],
            dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}}, dynamo=False,
        )  # fmt: skip
