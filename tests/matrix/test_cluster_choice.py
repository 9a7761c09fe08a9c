"""Files that describe a cluster, and those that describe none."""

import pytest

from specbp.errors import UsageError
from specbp.matrix.cluster_choice import ClusterFile, read_cluster


def test_a_file_names_a_class_and_its_options(tmp_path):
    path = tmp_path / "slurm.toml"
    path.write_text('kind = "SLURMCluster"\njobs = 3\n[options]\ncores = 8\n')
    assert read_cluster(path) == ClusterFile("SLURMCluster", 3, {"cores": 8})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('kind = "SlurmCluster"', r'did you mean "SLURMCluster"'),
        ("", "kind = None: choose one of"),
        ('kind = "SSHCluster"\njobs = 0', "a whole number from 1"),
        ('kind = "SSHCluster"\njob = 1', r'unknown key "job" \(did you mean "jobs"'),
        ('kind = "SSHCluster"\noptions = 3', "must be a table"),
        ("kind = [", "not valid TOML"),
    ],
)
def test_files_that_describe_no_cluster(tmp_path, text, words):
    path = tmp_path / "cluster.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        read_cluster(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be read: No such file"):
        read_cluster(tmp_path / "nowhere.toml")
