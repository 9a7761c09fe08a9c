"""A PYNQ.remote board in another process, driven by pynq's own client."""

import pytest

from specbp.errors import SpecbpError, UsageError
from tests.remote.conftest import serving


@pytest.fixture(scope="module")
def port():
    with serving() as served:
        yield served.port


def test_pynqs_own_client_does_what_pynqs_self_test_does(port):
    import numpy as np
    from pynq.pl_server.remote_device import RemoteDevice

    device = RemoteDevice(ip_addr="127.0.0.1", port=port)
    assert (device.name, device.arch) == ("simulated", "armv7l")
    device.write_file("/tmp/some.bin", b"some bytes")
    assert device.read_file("/tmp/some.bin") == b"some bytes"
    buffer = device.allocate((1024,), "u4")
    buffer[:] = np.arange(1024)
    buffer.sync_to_device()
    buffer[:] = 0
    buffer.sync_from_device()
    # pynq 3.1.2 cannot make an array of its buffer and another array.
    assert (np.asarray(buffer) == np.arange(1024)).all() and buffer.physical_address
    with pytest.raises(RuntimeError, match="no registers at address 0x80000000"):
        device.mmap(0x80000000, 4)
    buffer.freebuffer()
    device.client.channel.close()


def test_training_over_the_protocol_is_that_of_pytorch(port, build, monkeypatch, release_boards):
    from specbp.backends.opening import open_training
    from specbp.datasets.loading import load
    from specbp.experiment import experiment_from
    from specbp.overlay.parameters import Parameters

    monkeypatch.setenv("SPECBP_BUILD", str(build.folder))
    fields = {"dataset": "digits", "train": 16, "test": 8, "epochs": 1, "batch_size": 8}
    dataset = load("digits", train=16, test=8)
    board, cpu = (
        open_training(experiment_from(fields | backend, "here"), dataset)
        for backend in ({"backend": f"remote://127.0.0.1:{port}"}, {"arithmetic": "int16"})
    )
    rows, expected = board.advance(2), cpu.advance(2)
    assert [row["loss"] for row in rows] == [row["loss"] for row in expected]
    assert all(row["cycles"] > 10_000 and row["clock_mhz"] == 100 for row in rows)
    assert board.weights_sha256() == cpu.weights_sha256()
    words = {
        "simulated": True,
        "board": "simulated, PYNQ.remote",
        "programmed": Parameters().described,
        "test_samples": 8,
        "chance": dataset.chance,
    }
    assert board.about.items() >= words.items()
    board.close()


@pytest.fixture
def aup_zu3():
    with serving(board="simulated-aup-zu3") as served:
        yield served


def test_an_ultrascale_over_the_protocol(aup_zu3, tmp_path, monkeypatch, release_boards):
    """pynq's client sets clock and widths of the ports there, too, before anything runs."""
    from specbp.bitstream.making import make_simulated
    from specbp.bitstream.targets import target_named
    from specbp.overlay.parameters import Parameters
    from specbp.remote.board import board_at
    from specbp.remote.executor import RemoteExecutor

    target = target_named("simulated-aup-zu3")
    build = make_simulated(tmp_path, Parameters(), 50.0, target)
    monkeypatch.setenv("SPECBP_BUILD", str(build.folder))
    executor = RemoteExecutor("127.0.0.1", aup_zu3.port, Parameters())
    assert executor.clock_mhz == pytest.approx(50, rel=1e-4)
    assert executor.about["board"] == "simulated-aup-zu3, PYNQ.remote"
    assert executor.about["simulated"]
    device = board_at("127.0.0.1", aup_zu3.port)._device
    assert device.arch == "aarch64"
    assert [device.mmap(0xFD380000, 0x18).read(offset) & 3 for offset in (0, 0x14)] == [1, 1]
    executor.close()


def test_pynqs_own_self_test_passes(aup_zu3, capsys):
    """pynq 4.0 ships one for hosts; what 3.1 has of it is above."""
    runner = pytest.importorskip("pynq.remote.selftest.runner", reason="pynq before 4.0")
    failed = runner.main(["--ip", "127.0.0.1", "--port", str(aup_zu3.port)])
    said = capsys.readouterr().out
    assert not failed and "FAIL" not in said and "passed" in said, said


def test_a_bitstream_for_a_real_board_is_refused(port, build, tmp_path):
    import shutil

    import grpc
    import pynq
    from pynq.pl_server.remote_device import RemoteDevice

    from specbp.onboard import bitfile
    from specbp.overlay.clocks import forget_clocks

    old = bitfile.parse(build.bitstream.read_bytes())
    (tmp_path / "real.bit").write_bytes(bitfile.write(old._replace(data=b"\xff" * 400)))
    shutil.copy(build.handoff, tmp_path / "real.hwh")
    device = RemoteDevice(ip_addr="127.0.0.1", port=port)
    forget_clocks()
    with pytest.raises(grpc.RpcError, match="not for the simulated board"):
        pynq.Overlay(str(tmp_path / "real.bit"), device=device)
    device.client.channel.close()


def test_only_loopback_unless_asked_for():
    from specbp.remote.server import Server, is_loopback

    with pytest.raises(UsageError, match=r"no authentication.*--allow-anyone"):
        Server("0.0.0.0", 0)
    assert is_loopback("::1") and is_loopback("127.0.0.2") and not is_loopback("board.local")


def test_nobody_answers():
    from specbp.overlay.parameters import Parameters
    from specbp.remote.executor import RemoteExecutor

    with pytest.raises(SpecbpError, match=r"no PYNQ.remote board answers"):
        RemoteExecutor("127.0.0.1", 1, Parameters())
