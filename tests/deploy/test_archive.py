"""The runner as a board gets it: Python 3.8 and numpy, nothing of ours that is not sent along."""

import ast
import io
import subprocess
import sys
import zipfile

import pytest

from specbp.deploy.archive import archive, sources
from specbp.onboard import bitfile, messages

SOURCES = {name: text.decode() for name, text in sources().items() if name.endswith(".py")}


def test_equal_sources_give_equal_bytes():
    assert archive() == archive()
    assert set(zipfile.ZipFile(io.BytesIO(archive())).namelist()) == set(sources())


@pytest.mark.parametrize("name", SOURCES)
def test_python_38_can_read_it(name):
    ast.parse(SOURCES[name], feature_version=(3, 8))


@pytest.mark.parametrize("name", SOURCES)
def test_python_38_has_what_it_uses(name):
    """Functions and classes too; what only a type checker reads does not count."""
    vermin = pytest.importorskip("vermin")
    config = vermin.Config()
    config.set_eval_annotations(False)
    tree = _without_type_checking(ast.parse(SOURCES[name]))
    visitor = vermin.visit(ast.unparse(tree), config)
    assert visitor.minimum_versions()[1] is None or visitor.minimum_versions()[1] <= (3, 8)


def _without_type_checking(tree):
    tree.body = [
        one
        for one in tree.body
        if not (isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING")
    ]
    return tree


def test_it_imports_only_itself_numpy_and_pynq():
    allowed = {"numpy", "pynq"} | set(sys.stdlib_module_names)
    inside = {name[:-3].replace("/", ".").removesuffix(".__init__") for name in SOURCES}
    for name, text in SOURCES.items():
        for node in ast.walk(_without_type_checking(ast.parse(text))):
            if isinstance(node, ast.ImportFrom):
                modules = [node.module]
            elif isinstance(node, ast.Import):
                modules = [one.name for one in node.names]
            else:
                continue
            for module in modules:
                ours = module.startswith("specbp")
                known = module in inside if ours else module.split(".")[0] in allowed
                # Two are for others: a host's tools, and who loads frames.
                assert known or module in HOST_ONLY, (name, module)


HOST_ONLY = {"specbp.overlay.instructions", "specbp.overlay", "specbp.matrix.store"}


def test_it_starts_by_itself(tmp_path):
    (tmp_path / "runner.pyz").write_bytes(archive())
    done = subprocess.run(
        [sys.executable, "-I", "runner.pyz", "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and "--root" in done.stdout, done.stderr


def test_messages_survive():
    import numpy as np

    arrays = {"a": np.arange(6, dtype=np.int16).reshape(2, 3), "none": np.empty(0, np.uint8)}
    found = messages.read(io.BytesIO(messages.encode({"do": "run"}, arrays)))
    assert found.header == {"do": "run"}
    assert all((found.arrays[name] == array).all() for name, array in arrays.items())
    assert messages.read(io.BytesIO(b"")) is None
    for bad in (b"SBP1", messages.encode({}, arrays)[:-1], b"x" * 100):
        with pytest.raises(messages.MessageError):
            messages.read(io.BytesIO(bad))


def test_bitfiles_survive_and_pynq_reads_them():
    embedded = pytest.importorskip("pynq.pl_server.embedded_device")
    given = bitfile.Bitfile("specbp_wrapper", 0x1234ABCD, "2022.1", "7z020clg400", b"\xaa" * 64)
    content = bitfile.write(given)
    assert bitfile.parse(content) == given
    found = embedded.parse_bit_header(content)
    assert (found["design"], found["part"]) == ("specbp_wrapper", "7z020clg400")
    assert found["data"] == given.data
    for bad in (b"", content[:-1], content[5:], b"\0" * 100):
        with pytest.raises(bitfile.BitfileError):
            bitfile.parse(bad)
