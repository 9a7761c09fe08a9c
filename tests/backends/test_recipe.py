"""What a recipe refuses before anything is trained."""

import pytest

from specbp.backends.recipe import Recipe
from specbp.errors import UsageError
from specbp.experiment import experiment_from


@pytest.mark.parametrize("backend", ["cpu", "sim:model", "sim:rtl"])
def test_refreshing_more_layers_than_there_are_is_refused(digits, backend):
    """Kind: an option that is ignored; 99 layers were 3."""
    fields = {"schedule": "speculative", "backend": backend}
    assert Recipe(experiment_from(fields | {"refresh": 3}), digits).steps_per_epoch
    with pytest.raises(UsageError, match="refresh = 99: digits-cnn has 3 layers with weights"):
        Recipe(experiment_from(fields | {"refresh": 99}), digits)
