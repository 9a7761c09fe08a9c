"""Frames to a comparison: statistics, a printed table, Markdown, and one HTML page.

Nothing is imported here: figures take a second to load, which a training need not pay.
``specbp.report(...)`` writes a report: Python gives a function and this package the same name.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        # By name: the interface stands above this package, and only lends it the call.
        return import_module("specbp.api").report(*arguments, **settings)


sys.modules[__name__].__class__ = _CallablePackage
