"""A real file system in an image, whose power can be cut: a copy of the image is what is left."""

import contextlib
import shutil
import subprocess

import pytest

IMAGE_BYTES = 16 << 20
OPTIONS = "loop,commit=600"
"""Nothing reaches the image because time has passed: only what was synced surely does."""


def make_image(image):
    """Make an empty ext4 in a file; the test is skipped where that cannot be done."""
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    _run("mkfs.ext4", "-q", "-F", image)


@contextlib.contextmanager
def mounted(image, folder):
    """Mount an image at a new folder; the test is skipped where this account may not."""
    folder.mkdir()
    _run("mount", "-o", OPTIONS, image, folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def power_cut(image, left):
    """Copy the image of a mounted file system that nobody writes to, as a power cut leaves it."""
    content = image.read_bytes()
    while content != (again := image.read_bytes()):  # the system was still writing to it
        content = again
    left.write_bytes(content)


def _run(program, *arguments):
    if shutil.which(program) is None:
        pytest.skip(f"a file system of its own needs {program}, which is not here")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a file system of its own needs root and loop devices: {done.stderr.strip()}")
