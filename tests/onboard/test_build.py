"""A build that someone else made is data: exactly four files, checked against a schema."""

import hashlib
import json
import os
import random
import re
import shutil
import time
import zlib

import numpy as np
import pytest

from specbp.bitstream.making import make_simulated
from specbp.boards.board import board_named
from specbp.deploy import archive
from specbp.deploy.contents import version_of
from specbp.errors import SpecbpError, UsageError
from specbp.onboard import messages
from specbp.onboard.build import MANIFEST, open_build
from specbp.onboard.handoff import build_identifier_in
from specbp.onboard.untrusted import UntrustedError
from specbp.onboard.vectors import read_vectors
from specbp.overlay.parameters import Parameters


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    make_simulated(folder, Parameters())
    return folder


@pytest.fixture
def build(good, tmp_path):
    """A copy of a build, to spoil."""
    return shutil.copytree(good, tmp_path / "build")


def manifest_of(build):
    return json.loads((build / MANIFEST).read_text())


def change(build, **fields):
    """Write other fields into the manifest; those that are None are deleted."""
    manifest = {**manifest_of(build), **fields}
    kept = {name: value for name, value in manifest.items() if value is not None}
    (build / MANIFEST).write_text(json.dumps(kept))


def rewrite(build, kind, content):
    """Write a file of the build anew, and its hash, as its maker would."""
    name = manifest_of(build)[kind]
    (build / name).write_bytes(content)
    files = {**manifest_of(build)["files"], name: hashlib.sha256(content).hexdigest()}
    change(build, files=files)


def refused(build, words):
    with pytest.raises(UsageError, match=words) as found:
        version_of(build)
    text = str(found.value)
    assert "\n" not in text and "\x1b" not in text and len(text) < 1000
    return text


def test_a_build_is_four_files_and_the_runner_is_ours(good):
    version = version_of(good)
    manifest = manifest_of(good)
    names = {manifest[kind] for kind in ("bitstream", "handoff", "selftest")} | {MANIFEST}
    assert set(version.files) == names | {archive.NAME}
    assert version.files[archive.NAME] == archive.archive()


def test_what_else_lies_in_the_folder_is_left_there(build):
    expected = version_of(build).files
    for name in ("runner.pyz", "specbp.dtbo", "vivado.log", ".bashrc", "extra.bit"):
        (build / name).write_bytes(b"print('evil')")
    assert version_of(build).files == expected


@pytest.mark.parametrize(
    "name",
    [
        "runner.pyz", "../../../.ssh/authorized_keys", "/etc/passwd", "sub/file.bit", ".bashrc",
        "-rf", "a b", "a\nb", "", "..", "manifest.json", "extra.dtbo", "x.bit ",
    ],
)  # fmt: skip
def test_no_other_file_comes_with_a_build(build, name):
    """Code, paths, hidden names, options, what pynq would read beside a bitstream."""
    files = manifest_of(build)["files"]
    digest = hashlib.sha256(b"evil").hexdigest()
    change(build, files={**files, name: digest})
    refused(build, "files")
    # In the place of one that belongs there.
    for kind in ("bitstream", "handoff", "selftest"):
        fields = {kind: name, "files": {**files, name: digest}}
        fields["files"].pop(manifest_of(build)[kind], None)
        spoiled = shutil.copytree(build, build.parent / kind)
        change(spoiled, **fields)
        refused(spoiled, kind)


@pytest.mark.parametrize("kind", ["bitstream", "handoff", "selftest"])
@pytest.mark.parametrize("other", [None, "runner.pyz", "other.bin"])
def test_every_file_is_hashed_and_nothing_else_is(build, kind, other):
    """A file without a hash, or a plain name in the place of one of the three."""
    files = manifest_of(build)["files"]
    digest = files.pop(manifest_of(build)[kind])
    change(build, files=files if other is None else {**files, other: digest})
    refused(build, "files has not exactly")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"clock_mhz": float("nan")}, "NaN is no number"),
        ({"clock_mhz": float("inf")}, "Infinity is no number"),
        ({"clock_mhz": 0}, "clock_mhz is 0"),
        ({"clock_mhz": -100}, "clock_mhz"),
        ({"clock_mhz": "100"}, "clock_mhz"),
        ({"clock_mhz": 10**30}, "clock_mhz"),
        ({"format": 2}, "format 2, this specbp reads 1"),
        ({"format": "1"}, "format"),
        ({"format": None}, "format is missing"),
        ({"board": "\x1b[2J" * 100}, "board"),
        ({"board": ["pynq-z2"]}, "board"),
        ({"build_identifier": "0x1"}, "build_identifier"),
        ({"build_identifier": 5}, "build_identifier"),
        ({"parameters": {}}, "parameters.lanes is missing"),
        ({"parameters": []}, "parameters"),
        ({"files": {}}, "files has not exactly"),
        ({"files": []}, "files"),
        ({"slack_ns": float("-inf")}, "no number"),
        ({"utilisation": {"lut": "many"}}, "utilisation.lut"),
        ({"utilisation": {"../x": 1}}, "plain name"),
        ({"surprise": 1}, "surprise is no field"),
        ({"bitstream": None}, "bitstream is missing"),
    ],
)
def test_a_manifest_that_does_not_fit_its_schema(build, fields, words):
    """Types, ranges, sizes, numbers that are none."""
    change(build, **fields)
    refused(build, words)


@pytest.mark.parametrize("name", ["lanes", "cores", "queue_depth"])
@pytest.mark.parametrize("value", [True, 0, 17, -16, 16.0, "16", None, [16], 1 << 70])
def test_parameters_that_no_overlay_has(build, name, value):
    if (name, value) == ("cores", True):
        value = False
    parameters = {**manifest_of(build)["parameters"], name: value}
    change(build, parameters=parameters)
    refused(build, name)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"[" * 50_000, b" " * 70_000, b"{}"])
def test_a_manifest_that_is_none(build, content):
    (build / MANIFEST).write_bytes(content)
    refused(build, "damaged, or no manifest|more than 65536 bytes")


def test_hashes_that_are_not_those_of_the_files(build):
    name = manifest_of(build)["selftest"]
    (build / name).write_bytes(b"other")
    refused(build, "its SHA-256 is not the manifest's")


@pytest.mark.parametrize("kind", ["bitstream", "handoff", "selftest", "manifest"])
@pytest.mark.parametrize("link", ["symbolic", "dangling", "folder", "pipe"])
def test_a_file_of_a_build_is_a_file(build, kind, link):
    """Links would send what they point to, say a private key, to the board."""
    path = build / (MANIFEST if kind == "manifest" else manifest_of(build)[kind])
    target = path.rename(build.parent / "elsewhere")
    if link == "symbolic":
        path.symlink_to(target)
    elif link == "dangling":
        path.symlink_to(build / "nowhere")
    elif link == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    started = time.monotonic()
    refused(build, "take the build's own files")
    assert time.monotonic() - started < 20


ENTITIES = {
    "an external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    "entities of entities": '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
    "a document type elsewhere": '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">',
}


@pytest.mark.parametrize("declared", ENTITIES.values(), ids=ENTITIES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused(build, declared, encoding):
    text = (build / manifest_of(build)["handoff"]).read_text()
    body = re.sub(r"^<\?xml[^>]*>", "", text)
    spoiled = f'<?xml version="1.0" encoding="{encoding}"?>{declared}{body}'
    rewrite(build, "handoff", spoiled.encode(encoding))
    refused(build, "declares no document type and no entities")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("0x43C00000", "0x00100000", "the programmable logic is at"),
        ("0x43C00FFF", "0xFFFFFFFF", "the programmable logic is at"),
        ("0x41800000", "0xF8000000", "the programmable logic is at"),
        ("0x43C00000", "everywhere", "no number"),
        ('INSTANCE="specbp_0" IPTYPE', 'INSTANCE="other" IPTYPE', "instance specbp_0"),
        ("specbp:overlay:specbp_overlay:1.0", "xilinx.com:ip:axi_dma:7.1", "0 modules"),
        ("</EDKSYSTEM>", "", "not the XML"),
        ("<MODULES>", "<MODULES>" + "<A>" * 100, "nested too deeply"),
    ],
)
def test_a_handoff_that_points_elsewhere(build, old, new, words):
    """pynq maps the addresses of the handoff as root and writes there: only those of the logic."""
    text = (build / manifest_of(build)["handoff"]).read_text()
    assert old in text
    rewrite(build, "handoff", text.replace(old, new).encode())
    refused(build, words)


def vectors(build):
    content = (build / manifest_of(build)["selftest"]).read_bytes()
    (found,) = read_vectors(content)
    return found


def spoiled_vectors(header, arrays):
    return zlib.compress(messages.encode(header, arrays))


@pytest.mark.parametrize(
    "fields",
    [
        {"size": 1 << 40}, {"size": 0}, {"lengths": []}, {"lengths": [1, 1, 1]},
        {"lengths": [1]}, {"relocated": [1 << 20]}, {"relocated": [-1]}, {"deadline_s": 1e9},
        {"watchdog": -1}, {"steps": []}, {"valid": [1 << 16]}, {"more": 1},
        {"steps": [{"given": [["l", "t", 0, 1 << 26]], "expected": []}]},
        {"steps": [{"given": [["l", "t", -1, 1]], "expected": []}]},
    ],
)  # fmt: skip
def test_vectors_that_reach_beyond(build, fields):
    header, arrays = vectors(build)
    rewrite(build, "selftest", spoiled_vectors({**header, **fields}, arrays))
    refused(build, "vectors of the self-test are damaged")


@pytest.mark.parametrize("name", ["program", "memory", "at_0", "factors_0", "given_0", "more"])
def test_arrays_of_vectors_that_are_others(build, name):
    header, arrays = vectors(build)
    replaced = np.full(7, 1 << 40, np.int64) if name == "at_0" else np.zeros(7, np.float32)
    rewrite(build, "selftest", spoiled_vectors(header, {**arrays, name: replaced}))
    refused(build, "vectors of the self-test are damaged")


@pytest.mark.parametrize("count", [0, 9])
def test_vectors_of_no_program_or_too_many(build, count):
    part = messages.encode(*vectors(build))
    rewrite(build, "selftest", zlib.compress(part * count))
    refused(build, "vectors of the self-test are damaged")
    read_vectors(zlib.compress(part * 2))


def test_vectors_that_unpack_to_more_than_a_board_has(build):
    rewrite(build, "selftest", zlib.compress(bytes(200 << 20)))
    refused(build, "vectors of the self-test are damaged")


def mutated(content, rng):
    """Return `content` with some bytes changed, cut out, doubled, or cut off."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at:at] = rng.choice([b'"', b"{", b"[", b"NaN", b"-1", b"9" * 50, b"<!", b"\0"])
        elif kind == 2:
            del data[at : at + rng.randint(1, 40)]
        elif kind == 3:
            data[at:at] = data[at : at + rng.randint(1, 200)]
        else:
            del data[at:]
    return bytes(data)


@pytest.mark.parametrize("kind", ["manifest", "handoff", "selftest"])
def test_fuzzed_builds_are_read_or_refused(build, kind):
    """For three seconds each: no other exception, no hang, and an error is one short line."""
    name = MANIFEST if kind == "manifest" else manifest_of(build)[kind]
    original = (build / name).read_bytes()
    unpacked = zlib.decompress(original) if kind == "selftest" else original
    rng, end, refusals = random.Random(kind), time.monotonic() + 3, 0
    for _ in range(2000):
        if time.monotonic() > end:
            break
        spoiled = mutated(unpacked, rng)
        try:
            if kind == "manifest":
                (build / MANIFEST).write_bytes(spoiled)
                files = open_build(build).manifest["files"]
                assert all(re.fullmatch(r"[\w-]+\.(bit|hwh|bin)", name) for name in files)
            elif kind == "handoff":
                build_identifier_in(spoiled, board_named("pynq-z2"))
            else:
                read_vectors(zlib.compress(spoiled, 1))
        except (SpecbpError, UntrustedError) as error:
            refusals += 1
            assert len(str(error)) < 1000 and str(error).isprintable()
    assert refusals > 10
