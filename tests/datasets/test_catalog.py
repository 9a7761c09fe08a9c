from __future__ import annotations

import pytest

from specbp.datasets.catalog import CATALOG, DatasetInfo, describe
from specbp.errors import UsageError


@pytest.mark.parametrize("name", CATALOG)
def test_every_name_describes_itself(name: str) -> None:
    info = describe(name)
    assert info.name == name
    assert not info.synthetic


def test_a_random_set_has_the_shape_and_class_count_of_its_name() -> None:
    assert describe("random:3x32x24/100") == DatasetInfo(
        "random:3x32x24/100", (3, 32, 24), 100, synthetic=True
    )


@pytest.mark.parametrize("name", ["random:3x32x32", "random:0x8x8/10", "random:1x8x8/1", "random"])
def test_a_random_set_without_shape_or_classes_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="random:CHANNELSxHEIGHTxWIDTH/CLASSES"):
        describe(name)


def test_a_misspelt_name_gets_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r'"cifar-100" \(did you mean "cifar100"\?\)'):
        describe("cifar-100")
