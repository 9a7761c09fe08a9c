"""The Python interface: what the command line does, as functions that return frames.

    import specbp

    result = specbp.run(specbp.Experiment(schedule="pipelined", epochs=1))
    print(result.runs[["arm", "step_ms", "test_accuracy"]])

Work goes on with a progress bar in a notebook. Ctrl-C stops it after the block of steps; the same
call goes on where it was. Failures are `specbp.SpecbpError`, one line each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specbp.api.anew import Anew, anew_from

if TYPE_CHECKING:
    from specbp.api.reporting import Report
    from specbp.api.results import Results
    from specbp.experiment import Experiment
    from specbp.report.summary import ArmComparison

__all__ = ["Anew", "bench", "compare", "report", "run"]


def run(
    experiment: Experiment | Mapping[str, Any] | None = None,
    *,
    results: str | Path = "results/run",
    data_root: str | Path | None = None,
    fresh: bool = False,
    checkpoint_seconds: float | None = None,
    save_weights: bool = False,
    **fields: Any,
) -> Results:
    """Train one experiment, unless its results are there, and return its frames.

    For example ``specbp.run(schedule="pipelined", epochs=1)``.

    Args:
        experiment: what to train; fields as a matrix has them will do.
        results: folder that keeps the frames.
        data_root: folder of the data sets.
        fresh: train again what is there already.
        checkpoint_seconds: time between checkpoints; 30 s unless set, 3 s on a board.
        save_weights: keep trained weights, see `Results.state_dict`.
        fields: more fields of the experiment, which win.

    Raises:
        SpecbpError: the experiment cannot be trained, its training failed, or it was stopped.
    """
    from specbp.api.results import run_one

    done = run_one(
        experiment,
        fields,
        Path(results),
        _path(data_root),
        anew_from(fresh),
        checkpoint_seconds,
        save_weights=save_weights,
    )
    return done.whole()


def bench(
    matrix: str | Path | Mapping[str, Any],
    *,
    results: str | Path | None = None,
    filters: Iterable[str] = (),
    starts: int | None = None,
    data_root: str | Path | None = None,
    retry_failed: bool = False,
    again: bool = False,
    fresh: bool = False,
    checkpoint_seconds: float | None = None,
    save_weights: bool = False,
) -> Results:
    """Train the cells of a matrix whose results are not there, and return the frames of all.

    For example ``specbp.bench("bench/matrices/demo.toml")``.

    Args:
        matrix: file of the matrix, or its content as a dictionary.
        results: folder that keeps the frames; ``results/NAME`` unless set.
        filters: train only cells with this, such as ``schedule=pipelined``.
        starts: how often each comparison is trained, each time in a new process.
        data_root: folder of the data sets.
        retry_failed: train cells that failed again.
        again: train comparisons again that are not whole, or were measured by another commit.
        fresh: train everything again.
        checkpoint_seconds: time between checkpoints; 30 s unless set, 3 s on a board.
        save_weights: keep trained weights, see `Results.state_dict`.

    Raises:
        SpecbpError: a cell cannot be trained, a training failed, or it was stopped.
    """
    from specbp.api.choosing import cells_of
    from specbp.api.results import run_matrix

    chosen = cells_of(matrix, filters, starts)
    done = run_matrix(
        chosen,
        None if results is None else Path(results),
        _path(data_root),
        retry_failed,
        anew_from(fresh, again),
        checkpoint_seconds,
        save_weights=save_weights,
    )
    return done.whole()


def compare(
    results: str | Path | Results,
    arm: str,
    baseline: str = "sequential, 1 thread",
    comparison: str | None = None,
) -> tuple[ArmComparison, ...]:
    """Hold an arm against another in every comparison that has both.

    For example ``specbp.compare("results/demo", "pipelined")[0].time.ratio``.

    Args:
        results: results folder, or what `run` or `bench` returned.
        arm: the arm, as the report names it.
        baseline: what it is held against.
        comparison: title of the one comparison that is looked at; all unless set.

    Raises:
        SpecbpError: there is no such arm.
    """
    from specbp.api.reporting import frames_of
    from specbp.report.compare import compare_each

    return compare_each(frames_of(results), arm, baseline, comparison)


def report(
    results: str | Path | Results,
    output: str | Path | None = None,
    title: str | None = None,
    accuracy_margin: float = 0.5,
    with_frames: bool = False,
) -> Report:
    """Write the report of a results folder, and return where it is and what it says.

    For example ``specbp.report("results/demo").paths.html``.

    Args:
        results: results folder, a folder with a published report, or what `run` or `bench`
            returned.
        output: folder for the report; ``report`` in the results folder unless set.
        title: title of the page; the name of the folder unless set.
        accuracy_margin: loss of accuracy, points, that non-inferiority is tested at.
        with_frames: write the frames beside it, so that the report can be made again from them.
    """
    from specbp.api.reporting import write

    return write(results, _path(output), title, accuracy_margin, with_frames)


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)
