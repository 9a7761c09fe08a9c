"""A matrix as jobs of a real SLURM, of which one meets its time limit in the middle.

The test starts a controller and two nodes on this machine, as root. Debian has them as slurm-wlm.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from functools import partial

import psutil
import pytest

from specbp.matrix.cluster_choice import ClusterChoice
from specbp.matrix.clusters import connected
from specbp.matrix.run import run_cells
from specbp.matrix.store import Store
from tests.conftest import REPOSITORY
from tests.matrix.clustered import BLOCKS, blocks, cells_of, slow, train
from tests.matrix.scripted import ScriptedTraining, Silent, differ, frames

TOOLS = ("slurmctld", "slurmd", "munged", "sbatch")
COMPARISONS = 4
STEP_S = 3.0
CONFIGURATION = """
ClusterName=specbp
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/%n.log
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=20
SchedulerParameters=batch_sched_delay=1,sched_interval=2
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[2]}] CPUs=1 \
RealMemory=4000 State=UNKNOWN
PartitionName=normal Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
CLUSTER = """
kind = "SLURMCluster"
jobs = 2

[options]
queue = "normal"
cores = 1
processes = 1
memory = "2GB"
walltime = "00:01:00"
scheduler_options = {{ host = "127.0.0.1", dashboard_address = ":0" }}
local_directory = "{folder}/scratch"
log_directory = "{folder}/jobs"
job_script_prologue = ["export PYTHONPATH={path}"]
"""


@pytest.fixture
def slurm(tmp_path_factory, monkeypatch):
    """The folder of a SLURM that runs."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)} here: apt-get install slurm-wlm munge")
    if os.geteuid() != 0:
        pytest.skip("only root can start the daemons of SLURM")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("munge", "state", "n1", "n2"):
        (folder / name).mkdir(mode=0o700)
    (folder / "munge" / "key").write_bytes(os.urandom(1024))
    (folder / "munge" / "key").chmod(0o600)
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(host=socket.gethostname(), folder=folder, ports=_free_ports())
    )
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log",
             "seed-file": "seed"}  # fmt: skip
    munge = [f"--{option}={folder}/munge/{name}" for option, name in files.items()]
    for command in (
        ["munged", "--force", *munge],
        ["slurmctld", "-i", "-c"],
        ["slurmd", "-N", "n1"],
        ["slurmd", "-N", "n2"],
    ):
        subprocess.run(command, check=True)
    yield folder
    pids = [*folder.glob("*.pid"), folder / "munge" / "pid"]
    for path in pids:
        if path.exists() and psutil.pid_exists(pid := int(path.read_text())):
            psutil.Process(pid).terminate()


def _free_ports():
    """Return three ports that nobody listens at, one after the other."""
    for first in range(21000, 60000, 97):
        ports = [first, first + 1, first + 2]
        with socket.socket() as one, socket.socket() as other, socket.socket() as third:
            try:
                for number, free in zip(ports, (one, other, third), strict=True):
                    free.bind(("127.0.0.1", number))
            except OSError:
                continue
            return ports
    raise OSError("no port is free")


def test_a_time_limit_in_the_middle(slurm, tmp_path):
    cells = cells_of(COMPARISONS)
    store = Store.create(tmp_path / "undisturbed")
    with store.locked():
        run_cells(cells, store, ScriptedTraining, Silent(), 0)
    path = os.pathsep.join([str(REPOSITORY / "host"), str(REPOSITORY), *filter(None, sys.path)])
    file = slurm / "slurm.toml"
    file.write_text(CLUSTER.format(folder=slurm, path=path))
    began = time.monotonic()
    with connected(ClusterChoice(file=file)) as client:
        train(client, tmp_path, cells, opener=partial(slow, tmp_path, STEP_S))
    assert differ(frames(tmp_path / "results"), frames(tmp_path / "undisturbed")) == []
    log = (slurm / "controller.log").read_text()
    assert "Time limit exhausted" in log, "no job met its limit"
    again = len(blocks(tmp_path)) - COMPARISONS * BLOCKS
    print(
        f"{time.monotonic() - began:.0f} s, {log.count('Time limit exhausted')} jobs met their "
        f"limit, {again} of {COMPARISONS * BLOCKS} blocks were done again"
    )
