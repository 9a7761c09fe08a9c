"""Result sets made by hand, with numbers that a test can derive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from specbp.experiment import Experiment
from specbp.frames import Frames, table

MACHINE = {
    "specbp_version": "0.1.0",
    "git_commit": "c7252fd0a1b2c3d4e5f60718293a4b5c6d7e8f90",
    "git_dirty": False,
    "python_version": "3.11.7",
    "torch_version": "2.13.0+cpu",
    "numpy_version": "1.26.4",
    "platform": "Linux-6.1-x86_64",
    "cpu": "Example CPU @ 3.0 GHz",
    "cores": 2,
    "memory_gib": 15.6,
}


@dataclass
class Rows:
    """The rows of one cell in each frame."""

    run: dict[str, Any]
    epochs: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)


def _digest(word: str, seed: int) -> str:
    return f"{word}{seed}".ljust(64, "0")


def make_cell(
    step_ms: float | list[float] = 10.0,
    accuracy: float | None = 0.9,
    rounds: int = 4,
    steps_per_round: int = 5,
    columns: dict[str, Any] | None = None,
    step_columns: dict[str, Any] | None = None,
    **experiment: Any,
) -> Rows:
    """Make one cell: `step_ms` is the time of every step, or that of every step of a round."""
    run = _run(Experiment(**experiment), accuracy) | (columns or {})
    if run["status"] != "ok":
        return Rows(run)
    by_round = step_ms if isinstance(step_ms, list) else [step_ms] * rounds
    times = [ms for ms in by_round for _ in range(steps_per_round)]
    steps = [
        {
            "cell": run["cell"],
            "epoch": 1,
            "step": number,
            "round": number // steps_per_round,
            "step_ms": ms,
            "forward_ms": 0.3 * ms,
            "backward_ms": 0.6 * ms,
            "update_ms": 0.05 * ms,
            **(step_columns or {}),
        }
        for number, ms in enumerate(times)
    ]
    epoch = {
        "cell": run["cell"],
        "epoch": 1,
        "loss": 0.5,
        "train_accuracy": accuracy,
        "test_accuracy": accuracy,
        "accept_rate": run["accept_rate"],
        "train_s": sum(times) / 1000,
    }
    return Rows(run, [epoch], steps)


def _run(described: Experiment, accuracy: float | None) -> dict[str, Any]:
    speculative = described.schedule == "speculative"
    return {
        **described.model_dump(),
        **MACHINE,
        "cell": described.hash,
        "matrix": "test",
        "arm": described.arm,
        "repeat": described.seed,
        "status": "ok",
        "synthetic": described.dataset.startswith("random"),
        "test_accuracy": accuracy,
        "best_test_accuracy": None if accuracy is None else accuracy + 0.01,
        "accept_rate": 0.75 if speculative else None,
        "bound": 0.6 if speculative else None,
        "network_sha256": _digest("dddd", 0),
        "initial_weights_sha256": _digest("aaaa", described.seed),
        "sample_order_sha256": _digest("bbbb", described.seed),
        "dataset_sha256": _digest("cccc", 0),
        "session": f"session of seed {described.seed}",
        "started": f"2025-11-22T10:0{described.seed % 10}:00+00:00",
    }


def make_frames(*cells: Rows) -> Frames:
    """Put cells together as the store would."""
    return Frames(
        runs=table("runs", [cell.run for cell in cells]).to_pandas(),
        epochs=table("epochs", [row for cell in cells for row in cell.epochs]).to_pandas(),
        steps=table("steps", [row for cell in cells for row in cell.steps]).to_pandas(),
    )


@pytest.fixture
def cell() -> Callable[..., Rows]:
    return make_cell


@pytest.fixture
def gather() -> Callable[..., Frames]:
    return make_frames


PIPELINED: dict[str, Any] = {"schedule": "pipelined"}
SPECULATIVE: dict[str, Any] = {"schedule": "speculative"}


@pytest.fixture
def plain() -> Frames:
    """One comparison, three seeds; every number follows from the arguments here.

    Step times: sequential 10 ms, with two threads 8.75 ms, pipelined 7 ms: ratios 0.7 and 0.8.
    Accuracies: pipelined is 1, 2 and 3 points below sequential: mean -2, s = 1,
    margin 4.3027 / sqrt(3) = 2.4841.
    """
    cells = []
    for seed in range(3):
        cells += [
            make_cell(10.0, 0.90, seed=seed),
            make_cell(8.75, 0.90, seed=seed, threads=2),
            make_cell(7.0, 0.89 - 0.01 * seed, seed=seed, **PIPELINED),
        ]
    return make_frames(*cells)


def _noisy(rng: np.random.Generator, count: int) -> np.ndarray[Any, Any]:
    noise = np.zeros(count)
    for number in range(1, count):
        noise[number] = 0.97 * noise[number - 1] + 0.01 * rng.standard_normal()
    return np.exp(noise)


ON_ENGINE_1 = (
    "engine_1_forward_ms",
    "engine_1_input_gradient_ms",
    "engine_1_weight_gradient_ms",
)

DEMO_ARMS: tuple[tuple[dict[str, Any], dict[str, float], float], ...] = (
    ({}, {"load": 0.25, "forward": 3.4, "backward": 7.2, "update": 0.4}, 0.972),
    ({"threads": 2}, {"load": 0.25, "forward": 2.5, "backward": 5.1, "update": 0.4}, 0.972),
    (
        SPECULATIVE,
        {"load": 0.25, "forward": 3.8, "backward": 7.5, "gate": 0.2, "redo": 0.35}
        | {"update": 0.55, "wait": 3.4, "recall": 0.4, "store": 0.2},
        0.969,
    ),
    (
        {**SPECULATIVE, "reuse": "replay"},
        {"load": 0.25, "forward": 3.9, "backward": 7.6, "gate": 0.2, "redo": 0.9}
        | {"update": 0.55, "wait": 3.3, "recall": 0.7, "store": 0.4},
        0.935,
    ),
    (
        PIPELINED,
        {"load": 0.25, "forward": 3.6, "backward": 7.3, "update": 0.5, "wait": 3.4, "recall": 0.05},
        0.970,
    ),
)


def _demo_cell(
    parts: dict[str, float], accuracy: float, machine_noise: Any, rng: Any, work: dict[str, Any]
) -> Rows:
    """Make one cell that looks like a measured one: 10 epochs of 45 steps."""
    made = make_cell(rounds=1, steps_per_round=1, accuracy=accuracy, **work)
    speculative = "wait" in parts
    engine0 = sum(
        parts.get(name, 0.0) for name in ("load", "forward", "gate", "redo", "store", "update")
    )
    nominal = engine0 + (parts["wait"] if speculative else parts["backward"]) + 0.15
    made.steps, made.epochs, elapsed = [], [], 0.0
    accept = {"outcomes": 0.96, "replay": 0.85}.get(str(made.run["reuse"]), 1.0)
    if made.run["gate_metric"] == "none":
        accept = 1.0
    final = accuracy + 0.003 * rng.standard_normal()
    for epoch in range(1, 11):
        for number in range(45):
            step = (epoch - 1) * 45 + number
            scale = machine_noise[step] * np.exp(0.02 * rng.standard_normal())
            scale *= 1 + (rng.random() < 0.01) * rng.exponential(1.0)
            row = {f"{name}_ms": ms * scale for name, ms in parts.items()}
            if speculative:
                row |= dict.fromkeys(ON_ENGINE_1, 0.0)
                row["engine_1_input_gradient_ms"] = parts["backward"] * scale
            row |= {"cell": made.run["cell"], "epoch": epoch, "step": step, "round": step // 20}
            made.steps.append(row | {"step_ms": nominal * scale})
            elapsed += nominal * scale / 1000
        share = accept * (1 - 0.4 * np.exp(-epoch / 1.5)) if accept < 1 else accept
        reached = final - 0.5 * np.exp(-epoch / 1.6) + 0.004 * rng.standard_normal()
        made.epochs.append(
            {
                "cell": made.run["cell"],
                "epoch": epoch,
                "loss": 2.3 * np.exp(-epoch / 2),
                "train_accuracy": min(1.0, reached + 0.01),
                "test_accuracy": final if epoch == 10 else reached,
                "accept_rate": share if speculative else None,
                "train_s": elapsed,
            }
        )
    made.run |= {"test_accuracy": final, "accept_rate": accept if speculative else None}
    made.run |= {"bound": 0.68 + 0.68 * (1 - accept) if speculative else None}
    return made


def make_demo(seeds: int = 3, **work: Any) -> list[Rows]:
    """Make the cells of a comparison that looks like a measured one."""
    cells = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        machine_noise = _noisy(rng, 450)
        cells += [
            _demo_cell(parts, accuracy, machine_noise, rng, {**work, **method, "seed": seed})
            for method, parts, accuracy in DEMO_ARMS
        ]
    return cells


@pytest.fixture(scope="session")
def demo() -> Frames:
    """Two comparisons that look measured, and one cell that failed."""
    cells = make_demo(batch_size=8) + make_demo(batch_size=32)
    lost = make_cell(
        seed=0,
        batch_size=8,
        **SPECULATIVE,
        gate_metric="tv",
        columns={"status": "failed", "reason": "the loss became infinite at step 31"},
    )
    return make_frames(*cells, lost)
