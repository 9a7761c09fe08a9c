"""Image classification data sets: found by name, checked, cut to size and ready to train on."""

from .catalog import CATALOG, DatasetInfo, describe
from .loading import Dataset, load

__all__ = ["CATALOG", "Dataset", "DatasetInfo", "describe", "load"]
