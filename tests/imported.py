"""What commands import, for `tests.forked`."""

import importlib

for name in (
    "specbp.cli",
    "specbp.backends.overlay.model",
    "specbp.backends.overlay.training",
    "specbp.datasets.loading",
    "specbp.lockstep.sides",
    "specbp.matrix.run",
    "specbp.overlay.usage",
    "specbp.report.compare",
    "specbp.report.page",
    "sklearn.datasets",
):
    importlib.import_module(name)
