"""The Python interface, as a program uses it."""

import logging
import os
import signal
import subprocess
import sys
import threading

import pytest

import specbp
from specbp.api import notebook, screen
from specbp.errors import StoppedError

SMALL = {"train": 40, "test": 20, "batch_size": 10, "epochs": 1}
MATRIX = {
    "name": "small",
    "base": SMALL,
    "axes": {"schedule": ["sequential", "pipelined"]},
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_train_compare_and_report():
    """An example: from an experiment to a report, without the command line."""
    one = specbp.run(specbp.Experiment(**SMALL), schedule="pipelined")
    assert one.runs["arm"].tolist() == ["pipelined"]
    assert len(one.steps) == 4

    both = specbp.bench(MATRIX)
    assert str(both.path) == "results/small"
    assert both.runs["status"].tolist() == ["ok", "ok"]

    (comparison,) = specbp.compare(both, "pipelined")
    assert comparison.time.ratio > 0

    page = specbp.report(both, title="Small").paths.html
    assert "<title>Small" in page.read_text()


def test_the_same_call_again_trains_nothing_and_gives_the_same(caplog):
    caplog.set_level(logging.INFO, "specbp")
    first = specbp.run(SMALL)
    assert "[1/1] digits, batch 10, seed 0: sequential, 1 thread: " in caplog.text
    caplog.clear()
    again = specbp.run(SMALL)
    assert "[1/1]" not in caplog.text
    assert again.runs.equals(first.runs)


def test_the_command_line_finds_what_python_trained():
    from tests.cli.inside import specbp as command

    first = specbp.run(SMALL)
    words = ["--train", "40", "--test", "20", "--batch-size", "10", "--epochs", "1"]
    _, _, said = command("run", *words)
    assert "[1/1]" not in said
    assert len(specbp.load("results/run").runs) == len(first.runs)


def test_a_failure_is_one_line_and_a_mistake_is_named():
    with pytest.raises(specbp.SpecbpError, match="1 of 1 cells failed, the first with Floating"):
        specbp.run(SMALL, learning_rate=1e30)
    with pytest.raises(specbp.SpecbpError, match='unknown key "epoch"'):
        specbp.run(epoch=1)


def test_an_interrupt_keeps_what_is_done_and_the_same_call_goes_on(caplog):
    """Kind: Ctrl-C in a notebook that loses the training, or leaves its handler behind."""
    caplog.set_level(logging.INFO, "specbp")
    fields = SMALL | {"epochs": 3, "block_steps": 1}
    handler = signal.getsignal(signal.SIGINT)

    class Interrupt(logging.Handler):
        def emit(self, record):
            if record.getMessage().startswith("training "):
                os.kill(os.getpid(), signal.SIGINT)

    interrupt = Interrupt()
    logging.getLogger("specbp").addHandler(interrupt)
    try:
        with pytest.raises(StoppedError, match="stopped; what is done is kept in results/run"):
            specbp.run(fields)
    finally:
        logging.getLogger("specbp").removeHandler(interrupt)
    assert signal.getsignal(signal.SIGINT) is handler
    assert "going on from step 1 of 12" not in caplog.text
    assert specbp.run(fields).runs["steps"].tolist() == [12]
    assert "going on from step 1 of 12" in caplog.text


def test_a_thread_of_a_program_can_train():
    found = []
    thread = threading.Thread(target=lambda: found.append(specbp.run(SMALL)))
    thread.start()
    thread.join()
    assert len(found[0].runs) == 1


def test_a_notebook_shows_a_bar_and_a_line_for_each_cell(monkeypatch):
    shown = []

    class Handle:
        def update(self, html):
            shown.append(html.data)

    pytest.importorskip("IPython")
    monkeypatch.setattr(notebook, "_display", lambda html: Handle())
    monkeypatch.setattr(notebook, "in_notebook", lambda: True)
    assert isinstance(screen.usual_screen(), notebook.NotebookScreen)
    specbp.bench(MATRIX)
    assert '<progress value="0" max="8">' in "".join(shown)
    assert "step 8 of 8" in shown[-1]
    assert "[2/2] digits, batch 10, seed 0: pipelined: " in shown[-1]


def test_importing_loads_neither_pytorch_nor_pandas():
    code = "import sys, specbp; sys.exit(bool({'torch', 'pandas', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_package_report_and_the_function_report_live_together():
    """Kind: a function that is a module as soon as somebody imports from it."""
    import specbp.report.titles

    assert callable(specbp.report) and specbp.report.titles
