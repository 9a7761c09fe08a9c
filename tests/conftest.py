"""What tests of every folder share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from specbp.datasets.loading import load
from specbp.errors import UsageError

REPOSITORY = Path(__file__).parent.parent
DATA_ROOT = Path(os.environ.get("SPECBP_DATA", REPOSITORY / "data"))

# How long an example takes says something of the machine, not of the code.
settings.register_profile("specbp", deadline=None)
settings.load_profile("specbp")


@pytest.fixture(scope="session")
def digits():
    return load("digits")


@pytest.fixture(scope="session")
def repository():
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data():
    """Loads a data set that is not bundled; the test is skipped where it is not there."""

    def load_or_skip(name, **sizes):
        try:
            return load(name, data_root=DATA_ROOT, **sizes)
        except UsageError as error:
            pytest.skip(f"{name} is not in {DATA_ROOT}: {error}")

    return load_or_skip
