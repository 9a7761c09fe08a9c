"""Packages import one another in one direction: whoever reads one need not know those above it."""

import ast
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import pytest

from tests.conftest import REPOSITORY

SOURCES = REPOSITORY / "host/specbp"
RECORDS = ("record", "records", "table")
"""Modules of `specbp.backends` that say what there is, without the code that trains."""


def module_name(path):
    """The name of the module in a file."""
    parts = list(path.relative_to(SOURCES.parent).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in SOURCES.rglob("*.py")}


def package_of(module):
    """The package below `specbp` that a module is part of; a module of its own is one itself."""
    parts = module.split(".")
    if parts[1:2] == ["backends"] and parts[-1] in RECORDS:
        return "records of backends"
    return parts[1] if len(parts) > 1 else "specbp"


def imported(tree):
    """Yield (module, name) of what a module imports when it runs, in functions as well."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        yield from imported(node)


def graph():
    """Return for each package the packages it imports, with the modules that do."""
    found = defaultdict(lambda: defaultdict(list))
    for module, path in MODULES.items():
        for name, part in imported(ast.parse(path.read_text())):
            target = f"{name}.{part}" if f"{name}.{part}" in MODULES else name
            if target in MODULES and package_of(target) != package_of(module):
                found[package_of(module)][package_of(target)].append(f"{module} -> {target}")
    return found


def require_one_way(found):
    """Raise an AssertionError that names the imports of a cycle."""
    try:
        TopologicalSorter(found).prepare()
    except CycleError as error:
        cycle = error.args[1][::-1]
        steps = [found[one][other] for one, other in pairwise(cycle)]
        raise AssertionError(f"packages import one another: {steps}") from None


def test_no_package_imports_one_that_imports_it():
    require_one_way(graph())


def test_the_cheapest_packages_stand_alone():
    """Plans know neither PyTorch nor a backend, and arithmetic knows no plan."""
    found = graph()
    assert not {"backends", "runtime", "arithmetic", "overlay"} & found["plan"].keys()
    assert not {"backends", "runtime", "plan", "overlay"} & found["arithmetic"].keys()
    assert not {"matrix", "report", "cli"} & found["backends"].keys()


def test_a_cycle_is_named():
    found = {"a": {"b": ["specbp.a.x -> specbp.b.y"]}, "b": {"a": ["specbp.b.z -> specbp.a.x"]}}
    with pytest.raises(
        AssertionError,
        match=r"specbp.a.x -> specbp.b.y.*specbp.b.z -> specbp.a.x|"
        r"specbp.b.z -> specbp.a.x.*specbp.a.x -> specbp.b.y",
    ):
        require_one_way(found)


def test_the_graph_sees_imports_in_functions_and_not_those_for_types():
    source = "if TYPE_CHECKING:\n    import specbp.report\ndef f():\n    from specbp.cli import x\n"
    assert list(imported(ast.parse(source))) == [("specbp.cli", "x")]
