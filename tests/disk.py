"""A disk that stands for `os` in `specbp.durable`: it can stop a process at any change of a file,
and knows what of the changes so far a power cut leaves.

On the model disk a file's content is on the disk from its last fsync on, an entry of a folder from
the last fsync of that folder on. What was not synced may be there, in any part, or not.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

CUTS = ("synced", "named", "random")
"""What a power cut leaves beside what was synced: nothing, all names without content, anything."""


@dataclass
class File:
    """Content as programs see it, and as it is on the disk."""

    content: bytes = b""
    synced: bytes = b""


@dataclass
class Folder:
    """Entries as programs see them, and as they are on the disk."""

    entries: dict = field(default_factory=dict)
    synced: dict = field(default_factory=dict)


class Disk:
    """Counts and logs what changes files; everything else is that of `os`.

    Args:
        stop_at: the change, from 0, at which the process ends; half of a write is done.
        fsync: whether to really sync.
    """

    def __init__(self, stop_at=None, fsync=True):
        self.log = []
        self._stop_at = stop_at
        self._fsync = fsync

    def __getattr__(self, name):
        return getattr(os, name)

    def open(self, path, flags, mode=0o777):
        if flags & os.O_CREAT:
            self._change("create", str(path))
        file = os.open(path, flags, mode)
        self._opened = file, str(path)
        return file

    def write(self, file, content):
        self._change("write", self._path(file), bytes(content), file=file)
        return os.write(file, content)

    def fsync(self, file):
        self._change("fsync", self._path(file))
        if self._fsync:
            os.fsync(file)

    def replace(self, source, target):
        self._change("replace", str(source), str(target))
        os.replace(source, target)

    def mkdir(self, path):
        self._change("mkdir", str(path))
        os.mkdir(path)

    def rmdir(self, path):
        self._change("remove", str(path))
        os.rmdir(path)

    def unlink(self, path):
        self._change("remove", str(path))
        os.unlink(path)

    def _path(self, file):
        assert self._opened[0] == file, "files are written one after the other"
        return self._opened[1]

    def _change(self, *change, file=None):
        if len(self.log) == self._stop_at:
            if file is not None:
                os.write(file, change[2][: len(change[2]) // 2])
            os._exit(9)
        self.log.append(change)


class Model:
    """What is on the disk after some changes below `root`, which was there, empty."""

    def __init__(self, root):
        self._root = str(root)
        self._top = Folder()

    def apply(self, change):
        kind, path, *more = change
        folder, name = self._find(path)
        if kind == "create":
            folder.entries.setdefault(name, File()).content = b""
        elif kind == "write":
            folder.entries[name].content += more[0]
        elif kind == "fsync":
            found = folder.entries[name] if name else folder
            if isinstance(found, File):
                found.synced = found.content
            else:
                found.synced = dict(found.entries)
        elif kind == "replace":
            to, new_name = self._find(more[0])
            to.entries[new_name] = folder.entries.pop(name)
        elif kind == "mkdir":
            folder.entries[name] = Folder()
        else:
            del folder.entries[name]

    def left(self, cut, draw):
        """Return what a power cut leaves, as content by path; None for a folder.

        Args:
            cut: one of `CUTS`, or "kept": the process ended, and nothing was lost.
            draw: a `random.Random`.
        """
        found = {}
        _gather(self._top, "", cut, draw, found)
        return found

    def _find(self, path):
        assert path.startswith(self._root), path
        parts = [part for part in path[len(self._root) :].split("/") if part]
        folder = self._top
        for part in parts[:-1]:
            folder = folder.entries[part]
        return folder, parts[-1] if parts else ""


def put(files, target):
    """Make the files that a power cut left, in an empty folder."""
    target.mkdir(parents=True)
    for path, content in files.items():
        if content is None:
            (target / path).mkdir(parents=True, exist_ok=True)
        else:
            (target / path).write_bytes(content)


def _gather(folder, prefix, cut, draw, found):
    names = {"synced": folder.synced, "random": None}.get(cut, folder.entries)
    if names is None:
        sides = folder.synced, folder.entries
        names = {
            name: one
            for name in sorted({*folder.synced, *folder.entries})
            if (one := draw.choice(sides).get(name)) is not None
        }
    for name, one in names.items():
        path = str(Path(prefix, name))
        if isinstance(one, Folder):
            found[path] = None
            _gather(one, path, cut, draw, found)
        elif cut == "random":
            part = one.content[: draw.randint(0, len(one.content))]
            zeros = bytes(len(one.content))
            found[path] = draw.choice([one.synced, one.content, part, zeros, b""][: _kinds(one)])
        else:
            found[path] = one.content if cut == "kept" else one.synced


def _kinds(file):
    return 1 if file.synced == file.content else 5
