"""Comparisons on the workers of a Dask cluster: each once, bit for bit as in one process."""

import multiprocessing
import random
import threading
import time
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest

from specbp.errors import SpecbpError, UsageError
from specbp.matrix import cluster, worker
from specbp.matrix.cluster_choice import ClusterChoice
from specbp.matrix.clusters import connected
from specbp.matrix.run import run_cells
from specbp.matrix.session import Stopped
from specbp.matrix.store import Store
from tests.matrix.clustered import (
    BLOCKS,
    blocks,
    cells_of,
    kill_a_worker,
    train,
    train_at,
    wait_for,
)
from tests.matrix.scripted import ScriptedTraining, Silent, differ, frames
from tests.matrix.test_starts import refuser

COMPARISONS = 6
WORKERS = 2


@pytest.fixture(scope="module")
def client():
    with connected(ClusterChoice(workers=WORKERS)) as found:
        yield found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The frames that one process makes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    store = Store.create(folder)
    with store.locked():
        run_cells(cells_of(COMPARISONS), store, ScriptedTraining, Silent(), 0)
    return frames(folder)


def test_workers_train_side_by_side_and_go_on_where_they_were_stopped(
    client, tmp_path, undisturbed
):
    cells = cells_of(COMPARISONS)
    with pytest.raises(Stopped):
        train(client, tmp_path, cells, stop=lambda: len(blocks(tmp_path)) > 5)
    assert 0 < len(blocks(tmp_path)) < COMPARISONS * BLOCKS
    assert [*(tmp_path / "results").glob("unfinished/*/state.pt")]
    train(client, tmp_path, cells)
    found = frames(tmp_path / "results")
    assert differ(found, undisturbed) == []
    assert set(found[0]["status"]) == {"ok", "failed"} and set(found[0]["session"]) == {-1}
    assert len(blocks(tmp_path)) == COMPARISONS * BLOCKS, "no step is done twice"
    assert len({process for _, _, process, *_ in blocks(tmp_path)}) == 2 * WORKERS


def test_timed_comparisons_have_the_machine_for_themselves(client, tmp_path):
    """Kind: two trainings at once on a machine, each in the other's times.

    And what no worker offers is a row, not waited for.
    """
    cells = cells_of(3, timing=True)
    many, gpu = (
        replace(cells[0], experiment=cells[0].experiment.model_copy(update=fields))
        for fields in ({"threads": 9999}, {"backend": "cuda:3", "seed": 5})
    )
    train(client, tmp_path, [many, *cells, gpu])
    runs = Store.open(tmp_path / "results").load().runs.set_index("cell")
    assert runs.loc[many.hash, "reason"] == "no worker of the cluster offers 9999 cores"
    assert runs.loc[gpu.hash, "reason"] == "no worker of the cluster offers 4 GPUs"
    skipped = runs[runs["status"] == "skipped"]
    assert runs.drop(skipped.index)["session"].nunique() == 2
    spans = {}
    for began, end, _, seed, _ in blocks(tmp_path):
        first, last = spans.get(seed, (began, end))
        spans[seed] = min(first, began), max(last, end)
    assert all(one[1] <= other[0] for one, other in pairwise(sorted(spans.values())))


def test_a_worker_that_does_not_see_the_folder_sends_what_it_made(
    client, tmp_path, undisturbed, monkeypatch
):
    monkeypatch.setattr(worker, "TOKEN", ".named-otherwise")
    asked = threading.Event()
    threading.Timer(1.0, asked.set).start()
    with pytest.raises(Stopped):
        train(client, tmp_path, cells_of(COMPARISONS), stop=asked.is_set)
    train(client, tmp_path, cells_of(COMPARISONS))
    assert differ(frames(tmp_path / "results"), undisturbed) == []
    assert len(blocks(tmp_path)) == COMPARISONS * BLOCKS, "checkpoints travel too"


def test_killed_workers_and_clients_change_nothing(client, tmp_path, undisturbed):
    """Kind: kill -9 of two workers at random moments, and of the one that asks."""
    cells, draw = cells_of(COMPARISONS), random.Random()
    address = client.scheduler.address
    asking = multiprocessing.get_context("spawn").Process(
        target=train_at, args=(address, str(tmp_path), cells)
    )
    asking.start()
    wait_for(lambda: len(blocks(tmp_path)) > 5)
    asking.kill()
    asking.join()
    ended = threading.Event()

    def kill():
        for _ in range(2):
            time.sleep(draw.random())
            if not ended.is_set():
                kill_a_worker(client, draw)

    killer = threading.Thread(target=kill)
    killer.start()
    train(client, tmp_path, cells)
    ended.set()
    killer.join()
    assert differ(frames(tmp_path / "results"), undisturbed) == []
    # A kill costs the blocks of one round.
    assert 0 <= len(blocks(tmp_path)) - COMPARISONS * BLOCKS <= (2 + WORKERS) * 3


def test_a_scheduler_that_is_lost_is_said(tmp_path, undisturbed, client):
    cells = cells_of(COMPARISONS)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    scheduling = context.Process(target=schedule, args=(theirs,))
    scheduling.start()
    with connected(ClusterChoice(scheduler=ours.recv())) as lost:

        def kill():
            wait_for(lambda: len(blocks(tmp_path)) > 3)
            scheduling.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(SpecbpError, match=r"scheduler of the cluster is lost.*same command"):
            train(lost, tmp_path, cells)
        killer.join()
    train(client, tmp_path, cells)
    assert differ(frames(tmp_path / "results"), undisturbed) == []


def schedule(connection):
    """Be a scheduler and a worker until killed."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as started:
        connection.send(started.scheduler_address)
        time.sleep(600)


def test_a_worker_with_another_pytorch_is_refused_by_name(client, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "offer", other_offer)
    with pytest.raises(
        UsageError, match=r"the worker tcp://\S+ cannot be used: .*PyTorch 0.1 \(he"
    ):
        train(client, tmp_path, cells_of(1))
    assert not blocks(tmp_path)


def other_offer(run, results, offer=worker.offer):
    found = offer(run, results)
    return replace(found, origin={**found.origin, "torch_version": "0.1"})


def test_what_every_worker_refuses_is_raised(client, tmp_path):
    with pytest.raises(UsageError, match=r"^refused on purpose$"):
        train(client, tmp_path, cells_of(2), opener=refuser)


def test_a_comparison_that_kills_its_workers_fails_with_the_reason(client, tmp_path, monkeypatch):
    monkeypatch.setattr("specbp.matrix.dispatch.MOST_TRIES", 2)
    train(client, tmp_path, cells_of(1), opener=partial(exiting, 7))
    runs = Store.open(tmp_path / "results").load().runs
    assert set(runs["status"]) == {"failed"}
    assert runs["reason"].str.contains("2 workers were lost with it.*ended with exit code 7").all()


def exiting(code):
    def leave(experiment):
        import os

        os._exit(code)

    return leave


def test_the_cluster_needs_what_its_cells_need():
    cells = cells_of(1)
    assert cluster.needs_of(cells) == cluster.Needs(2, 0, False)
