"""What README and docs say of results is what the published frames say."""

import re

import pandas as pd
import pytest

from specbp.report import published
from specbp.report.compare import summarise
from specbp.report.markdown import render
from specbp.report.statistics import paired_difference, ratio_with_interval
from tests.conftest import REPOSITORY

CIFAR100 = REPOSITORY / "reports" / "cifar100"
GPU = REPOSITORY / "reports" / "gpu"
README = (REPOSITORY / "README.md").read_text()
RESULTS = (REPOSITORY / "docs" / "results.md").read_text()
PREDICTED = "pipelined, weight prediction"
ON_GPU = f"{PREDICTED}, two streams"
BASELINE = "sequential, 1 thread"
LABEL_KEY = "speculative, replay, label key, no gate, refresh 2"


def row(start, columns=None):
    """Return the cells of the row of the tables of results that begins so, and has so many."""
    lines = (line for line in RESULTS.splitlines() if line.startswith(f"| {start} |"))
    rows = [[one.strip().replace("**", "") for one in line.strip("|").split("|")] for line in lines]
    (found,) = (cells for cells in rows if columns in (None, len(cells)))
    return found


LIMIT = 300_000
"""Bytes of a report, so that who is sent one on a phone reads it."""

REPORTS = sorted(path.parent for path in (REPOSITORY / "reports").rglob("report.html"))


def by_seed(runs, arm):
    return runs[runs["arm"].str.startswith(arm)].set_index("seed").sort_index()


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in (REPOSITORY / "reports").rglob("runs.parquet"))
)
def test_arms_at_one_seed_did_equal_work(folder):
    runs = pd.read_parquet(folder / "runs.parquet")
    runs = runs[runs["status"] == "ok"]
    work = ["dataset", "model", "batch_size", "learning_rate", "momentum", "seed"]
    work += [name for name in ("train", "held_out", "epochs") if name in runs]
    for name in ("initial_weights_sha256", "sample_order_sha256", "dataset_sha256"):
        assert (runs.groupby(work)[name].nunique() == 1).all()


def test_the_first_table_of_the_readme_repeats_results():
    """Kind: a front page that tells another story than the docs."""
    cpu, gpu = row("pipelined (previous batch, no gate), weight prediction"), row(ON_GPU)
    overlay = row("speculative, balanced")
    said = README.replace("**", "")
    for first, last, where in ((cpu[2], cpu[-1], "two CPU"), (gpu[2], gpu[-1], "two streams")):
        (line,) = (one for one in said.splitlines() if one.startswith(f"| {where}"))
        assert f"| {first} | {last} |" in line
    (line,) = (one for one in said.splitlines() if one.startswith("| two simulated"))
    assert f"| {overlay[5]} |" in line


PAPER = {
    "digits, no refresh": ("digits, batch 16", ""),
    "Fashion-MNIST, 10,000 samples, refresh 2": ("Fashion-MNIST, batch 16", ", refresh 2"),
    "CIFAR-100, 20,000 samples, refresh 2": ("CIFAR-100, batch 16", ", refresh 2"),
}
"""Rows about the paper's scheme: the comparison, and how the arm's name goes on."""


@pytest.fixture(scope="module")
def paper():
    """The arms of the paper's report, by comparison and name."""
    found = summarise(published.read(REPOSITORY / "reports" / "paper").frames)
    return {one.title: {arm.name: arm for arm in one.arms} for one in found.comparisons}


@pytest.mark.parametrize("start", PAPER)
def test_the_best_points_of_the_papers_scheme_are_the_published_ones(paper, start):
    title, rest = PAPER[start]
    arm = paper[title][f"speculative, replay, label key, max<0.1{rest}"]
    change, said = arm.accuracy_change, row(start, columns=5)
    one, two = (words(against.time) for against in (arm.one_thread, arm.equal_resources))
    assert said[1] == one
    assert said[2] == ("no verdict" if arm.equal_resources.withheld else two)
    assert said[3] == f"{arm.accept_rate:.1%}"
    signed = f"{change.mean:+.2f} [{change.low:+.2f}, {change.high:+.2f}]"
    assert said[4] == signed.replace("+0.00", "0.00")
    if start.startswith("Fashion"):
        assert f"took {one} of one thread and {two} of two" in README.replace("\n", " ")


def test_no_faster_arm_of_the_papers_scheme_kept_its_accuracy_on_average(paper):
    """Kind: a best point that is not the best."""
    best = paper["Fashion-MNIST, batch 16"]["speculative, replay, label key, max<0.1, refresh 2"]
    fastest = best.one_thread.time.ratio
    arms = [arm for title in paper.values() for arm in title.values() if "label" in arm.name]
    assert not [
        arm.name
        for arm in arms
        if arm.accuracy_change.mean >= 0 and arm.one_thread.time.ratio < fastest
    ]
    cifar = [arm for arm in paper["CIFAR-100, batch 16"].values() if "label" in arm.name]
    assert max(arm.accuracy_change.mean for arm in cifar) < -1.5


def words(ratio):
    """A ratio with its interval, as the docs write it."""
    return f"{ratio.ratio:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"


@pytest.mark.parametrize("folder", REPORTS, ids=lambda folder: folder.name)
def test_a_report_is_small_and_lies_beside_its_frames(folder):
    """Kind: reports that nobody opens, or that nobody can check."""
    assert (folder / "report.html").stat().st_size < LIMIT
    assert published.is_published(folder)
    title = published.read(folder).title
    assert f"<title>{title}</title>" in (folder / "report.html").read_text().replace("&#39;", "'")


@pytest.mark.parametrize("folder", REPORTS, ids=lambda folder: folder.name)
def test_every_number_of_a_report_is_what_its_frames_say(folder):
    """Kind: a number that was changed by hand, or is older than what computes it.

    ``specbp report FOLDER`` makes a report again where words or statistics have changed.
    """
    source = published.read(folder)
    made = render(summarise(source.frames), source.title)
    assert (folder / "report.md").read_text().splitlines() == made.splitlines()


def test_the_index_links_every_report():
    index = (REPOSITORY / "reports" / "index.html").read_text()
    links = re.findall(r'<h2><a href="([^"]*)"', index)
    found = [folder.relative_to(REPOSITORY / "reports") / "report.html" for folder in REPORTS]
    assert sorted(links) == sorted(path.as_posix() for path in found)


def test_the_loss_on_a_gpu_is_the_published_one():
    runs = pd.read_parquet(GPU / "accuracy" / "runs.parquet")
    for batch_size, said in ((8, row(ON_GPU)[-1]), (32, "0.87 points** [0.53, 1.21] (10 seeds")):
        chosen = runs[runs["batch_size"] == batch_size]
        arm, baseline = (
            by_seed(chosen, name)["test_accuracy"] * 100 for name in ("pipelined", "sequential")
        )
        change = paired_difference(list(arm), list(baseline))
        if batch_size == 8:
            assert points(change, len(arm)) == said
        else:
            loss = f"{-change.mean:.2f} points** [{-change.high:.2f}, {-change.low:.2f}]"
            assert f"{loss} ({len(arm)} seeds" == said
            assert said in RESULTS


def test_the_loss_of_accuracy_is_the_published_one():
    runs = pd.read_parquet(CIFAR100 / "accuracy" / "runs.parquet").query("momentum == 0.9")
    arm, baseline = (by_seed(runs, name)["test_accuracy"] * 100 for name in (PREDICTED, BASELINE))
    assert list(arm.index) == list(baseline.index) == list(range(10))
    change = paired_difference(list(arm), list(baseline))
    said = row("pipelined (previous batch, no gate), weight prediction")[-1]
    assert points(change, len(arm)) == said


@pytest.mark.parametrize(("column", "batch_size"), [(1, 1), (2, 8), (3, 32)])
@pytest.mark.parametrize(
    ("start", "arm", "backend"),
    [
        ("sequential, two threads", "sequential, 2 threads", ", native"),
        ("data-parallel, two engines", "data-parallel", ", native"),
        ("pipelined (previous batch, no gate), weight prediction", PREDICTED, ", native"),
        ("pipelined", "pipelined", ", native"),
        ("in Python: pipelined, weight prediction", PREDICTED, ""),
        ("in Python: label key, replay, no gate, refresh 2", LABEL_KEY, ""),
    ],
)
def test_the_time_of_a_step_is_the_published_one(column, batch_size, start, arm, backend):
    said = row(start, columns=5)[column]
    if arm == "data-parallel" and batch_size == 1:
        assert said == ""
    else:
        assert said == ratio(CIFAR100 / "time", batch_size, arm + backend, BASELINE + backend)


@pytest.mark.parametrize(
    ("start", "arm"),
    [
        ("demo: sequential, two threads", "sequential, 2 threads"),
        ("demo: pipelined", "pipelined"),
        ("demo: label key, outcomes, max < 0.25", "speculative, outcomes, label key, max<0.25"),
        ("demo: label key, replay, max < 0.25", "speculative, replay, label key, max<0.25"),
    ],
)
def test_the_times_of_the_demo_are_the_published_ones(start, arm):
    demo, found = REPOSITORY / "reports" / "demo", row(start, columns=5)
    assert found[1] == ratio(demo, 32, arm, BASELINE, "digits-cnn")
    if arm != "sequential, 2 threads":
        assert found[2] == ratio(demo, 32, arm, "sequential, 2 threads", "digits-cnn")
    if "replay" in arm:
        assert f"took {found[1]} of the time of one thread" in README.replace("\n", " ")


@pytest.mark.parametrize(("batch_size", "most"), [(8, 1.10), (32, 1.10)])
def test_native_steps_are_as_near_to_the_bound_as_was_asked(batch_size, most):
    runs = pd.read_parquet(CIFAR100 / "time" / "runs.parquet")
    runs = runs[(runs["model"] == "cifar-cnn") & (runs["batch_size"] == batch_size)]
    runs = runs[runs["arm"] == "pipelined, native"]
    over = runs.filter(like="over_").sum(axis=1) / runs["bound_ms"]
    assert len(over) == 3
    assert 1 + over.mean() <= most


@pytest.mark.parametrize(("column", "batch_size"), [(1, 1), (2, 8), (3, 32), (4, 128)])
@pytest.mark.parametrize(
    ("start", "arm"),
    [
        ("sequential, two streams", "sequential, 2 streams, cuda:0"),
        ("data-parallel, two streams", "data-parallel, cuda:0"),
        (ON_GPU, f"{PREDICTED}, cuda:0"),
    ],
)
def test_the_time_of_a_step_on_a_gpu_is_the_published_one(column, batch_size, start, arm):
    said = row(start)[column]
    if arm.startswith("data-parallel") and batch_size == 1:
        assert said == ""
    else:
        assert said == ratio(GPU / "time", batch_size, arm, "sequential, cuda:0")


def test_what_is_said_of_equal_weights_is_so():
    """Two streams give the same weights to the bit, a split batch the same up to rounding."""
    runs = pd.read_parquet(GPU / "time" / "runs.parquet").query("status == 'ok'")
    ends = runs.set_index(["model", "batch_size", "seed"])["final_weights_sha256"]
    of_arm = {arm: ends[(runs["arm"] == arm).to_numpy()] for arm in runs["arm"].unique()}
    baseline = of_arm["sequential, cuda:0"]
    for arm, equal in (("sequential, 2 streams, cuda:0", True), ("data-parallel, cuda:0", False)):
        ours = of_arm[arm]
        assert len(ours) >= 18
        assert ((ours == baseline.loc[ours.index]) == equal).all()
    assert row("sequential, two streams")[-1] == "the same weights"
    assert row("data-parallel, two streams")[-1] == "the same gradient up to rounding"


def points(change, seeds):
    """A change of accuracy, with its interval, as the README writes it."""
    return f"{change.mean:+.2f} [{change.low:+.2f}, {change.high:+.2f}], {seeds} seeds"


def ratio(folder, batch_size, arm, baseline, model="cifar-cnn"):
    """The time of `arm` over that of `baseline`, with its interval, as the README writes it."""
    runs = pd.read_parquet(folder / "runs.parquet")
    runs = runs[(runs["model"] == model) & (runs["batch_size"] == batch_size)]
    rounds = pd.read_parquet(folder / "rounds.parquet").groupby("cell")["step_ms"]

    def turns(name):
        cells = runs[runs["arm"] == name].sort_values("seed")["cell"]
        return [rounds.get_group(cell).tolist() for cell in cells]

    found = ratio_with_interval(turns(arm), turns(baseline))
    return f"{found.ratio:.2f} [{found.low:.2f}, {found.high:.2f}]"
