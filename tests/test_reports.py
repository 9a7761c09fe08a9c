"""What the README says of CIFAR-100 is what the published frames say."""

import pandas as pd
import pytest

from specbp.report.statistics import paired_difference, ratio_with_interval
from tests.conftest import REPOSITORY

CIFAR100 = REPOSITORY / "reports" / "cifar100"
README = (REPOSITORY / "README.md").read_text()
PREDICTED = "pipelined, weight prediction"
BASELINE = "sequential, 1 thread"


def row(start):
    (line,) = (line for line in README.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip().replace("**", "") for cell in line.strip("|").split("|")]


def by_seed(runs, arm):
    return runs[runs["arm"].str.startswith(arm)].set_index("seed").sort_index()


@pytest.mark.parametrize("folder", sorted(path.parent for path in CIFAR100.rglob("runs.csv")))
def test_arms_at_one_seed_did_equal_work(folder):
    runs = pd.read_csv(folder / "runs.csv")
    work = ["model", "batch_size", "learning_rate", "momentum", "seed"]
    for name in ("initial_weights_sha256", "sample_order_sha256", "dataset_sha256"):
        assert (runs.groupby(work)[name].nunique() == 1).all()


def test_the_loss_of_accuracy_is_the_published_one():
    runs = pd.read_csv(CIFAR100 / "accuracy" / "runs.csv").query("momentum == 0.9")
    arm, baseline = (by_seed(runs, name)["test_accuracy"] * 100 for name in (PREDICTED, BASELINE))
    assert list(arm.index) == list(baseline.index) == list(range(10))
    change = paired_difference(list(arm), list(baseline))
    said = f"{change.mean:+.2f} [{change.low:+.2f}, {change.high:+.2f}], {len(arm)} seeds"
    assert row("pipelined (previous batch, no gate), weight prediction")[-1] == said


@pytest.mark.parametrize(("column", "batch_size"), [(1, 1), (2, 8), (3, 32)])
def test_the_time_of_a_step_is_the_published_one(column, batch_size):
    runs = pd.read_csv(CIFAR100 / "time" / "runs.csv")
    runs = runs[(runs["model"] == "cifar-cnn") & (runs["batch_size"] == batch_size)]
    rounds = pd.read_csv(CIFAR100 / "time" / "rounds.csv").groupby("cell")["step_ms"]

    def turns(arm):
        cells = runs[runs["arm"] == arm].sort_values("seed")["cell"]
        return [rounds.get_group(cell).tolist() for cell in cells]

    ratio = ratio_with_interval(turns(PREDICTED), turns(BASELINE))
    said = f"{ratio.ratio:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
    assert row("pipelined (previous batch, no gate), weight prediction")[column] == said
