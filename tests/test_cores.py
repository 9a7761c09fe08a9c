"""Quotas of control groups, versions 1 and 2, at the group of the process and above it."""

import pytest

from specbp.cores import cgroup_quota


@pytest.fixture
def machine(tmp_path):
    """Writes the files of control groups, by path, and what groups the process is in."""

    def write(membership, files):
        (tmp_path / "membership").write_text(membership)
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return cgroup_quota(tmp_path / "cgroup", tmp_path / "membership")

    return write


V1 = "4:memory:/a\n2:cpu,cpuacct:/docker/x\n0::/\n"


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "100000 100000\n"}, 1.0),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000"}, 1.5),
        ("0::/not/mounted\n", {"cpu.max": "50000 100000"}, 0.5),
        (
            V1,
            {
                "cpu,cpuacct/docker/x/cpu.cfs_quota_us": "200000",
                "cpu,cpuacct/docker/x/cpu.cfs_period_us": "100000",
            },
            2.0,
        ),
        (V1, {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1.0),
        (V1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        (V1, {"memory/a/cpu.max": "100000 100000"}, None),
        ("0::/\n", {"cpu.max": "what is this"}, None),
    ],
)
def test_the_smallest_quota_of_all_groups_counts(machine, membership, files, cores):
    """Kind: a limit of the operating system that the number of cores does not show."""
    assert machine(membership, files) == cores
