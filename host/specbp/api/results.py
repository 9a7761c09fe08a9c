"""What `run` and `bench` train and return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from specbp.api.anew import Anew
from specbp.api.choosing import Chosen
from specbp.api.screen import Screen, usual_screen
from specbp.api.training import train
from specbp.datasets.catalog import forget_own
from specbp.errors import SpecbpError
from specbp.experiment import Experiment, experiment_from
from specbp.frames import Frames
from specbp.matrix.cluster_choice import ClusterChoice
from specbp.matrix.expand import Cell
from specbp.matrix.store import load


@dataclass(frozen=True, eq=False)
class Results:
    """What was trained, as it is kept in a results folder.

    Attributes:
        path: the results folder.
        cells: the cells that were asked for.
        frames: frames of the whole folder.
    """

    path: Path
    cells: Sequence[Cell]
    frames: Frames

    @cached_property
    def runs(self) -> pd.DataFrame:
        """The frame `runs` of the cells that were asked for: a row for each, in their order."""
        rows: pd.DataFrame = self.frames.runs.set_index("cell", drop=False)
        return rows.reindex([cell.hash for cell in self.cells])

    @property
    def epochs(self) -> pd.DataFrame:
        """The frame `epochs` of the cells that were asked for."""
        return self._of_cells(self.frames.epochs)

    @property
    def steps(self) -> pd.DataFrame:
        """The frame `steps` of the cells that were asked for."""
        return self._of_cells(self.frames.steps)

    def state_dict(self, cell: str | None = None) -> dict[str, Any]:
        """Return trained weights, as the model's ``load_state_dict()`` takes them.

        Args:
            cell: how the hash of the cell begins, or the name of its arm; None for the only one.

        Raises:
            SpecbpError: the training did not keep them: ``save_weights=True`` does.
        """
        from specbp.api.exporting import weights_of

        return dict(weights_of(self.path, cell)[1].state_dict)

    def whole(self) -> Results:
        """Return these results if every training came to its end.

        Raises:
            SpecbpError: some failed.
        """
        failed = self.runs[self.runs["status"] == "failed"]
        if len(failed):
            raise SpecbpError(
                f"{len(failed)} of {len(self.runs)} cells failed, the first with "
                f"{failed['reason'].iloc[0]}"
            )
        return self

    def _of_cells(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["cell"].isin([cell.hash for cell in self.cells])]


def run_one(
    experiment: Experiment | Mapping[str, Any] | None,
    fields: Mapping[str, Any],
    results: Path,
    data_root: Path | None,
    anew: Anew,
    checkpoint_seconds: float | None,
    screen: Screen | None = None,
    save_weights: bool = False,
) -> Results:
    """Train one experiment; see `specbp.api.run`. A failed training is a row with its reason."""
    forget_own()
    if not isinstance(experiment, Experiment) or fields:
        given = (
            experiment.model_dump(exclude_defaults=True)
            if isinstance(experiment, Experiment)
            else experiment or {}
        )
        experiment = experiment_from({**given, **fields}, "run")
    cells = [Cell("run", 0, experiment)]
    screen = screen or usual_screen()
    train(
        cells, results, data_root, True, anew, checkpoint_seconds, screen, save_weights=save_weights
    )
    return Results(results, cells, load(results))


def run_matrix(
    chosen: Chosen,
    results: Path | None,
    data_root: Path | None,
    retry_failed: bool,
    anew: Anew,
    checkpoint_seconds: float | None,
    screen: Screen | None = None,
    save_weights: bool = False,
    cluster: ClusterChoice | None = None,
) -> Results:
    """Train cells of a matrix; see `specbp.api.bench`. A failed one is a row with its reason."""
    folder = chosen.folder(results)
    train(
        chosen.cells, folder, data_root, retry_failed, anew, checkpoint_seconds,
        screen or usual_screen(), chosen.matrix, chosen.starts, save_weights, cluster,
    )  # fmt: skip
    return Results(folder, chosen.cells, load(folder))
