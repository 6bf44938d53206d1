"""The floors of the package: imports go down, and what starts with ``_`` stays in its folder."""

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import bitspike

PACKAGE = Path(bitspike.__file__).parent
FLOORS = (
    *(
        "ops",
        "arguments",
        "one_call",
        "reference_path",
        "spikes",
        "derivable",
        "scan",
        "checkpoint",
        "state",
        "program",
    ),
    *(
        "surrogate",
        "spikegen",
        "events",
        "spikeplot",
        "neurons",
        "layers",
        "graph",
        "monitors",
        "plasticity",
    ),
    *("decode", "functional", "exchange", "nir", "export_nir", "import_nir"),
    *("run", "utils", "backprop", "analysis", "tasks", "init", "learning"),
    *("convert", "quantize", "moved"),
)
"""From the lowest; a file or folder imports those in front of it, and no other."""


def module_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_of(path): path for path in PACKAGE.rglob("*.py")}


def imported(module):
    """Every import of a file as ``(module, name, inside)``, the module without the package.

    ``inside`` is whether it stands in a function.
    """
    path = MODULES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    tree = ast.parse(path.read_text())
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    inner = {id(child) for function in functions for child in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, "", id(node) in inner
        elif isinstance(node, ast.ImportFrom):
            source = (node.module or "").split(".") if node.module else []
            if node.level:
                source = ["bitspike", *package[: len(package) - node.level + 1], *source]
            for alias in node.names:
                yield ".".join(filter(None, source)), alias.name, id(node) in inner


def own(module):
    """The files of the package that a file imports."""
    for source, name, _ in imported(module):
        root, _, inside = source.partition(".")
        if root == "bitspike" and name != "_native":
            joined = f"{inside}.{name}".strip(".")
            yield joined if joined in MODULES else inside


def floor(module):
    return FLOORS.index(module.partition(".")[0])


FILES = sorted(module for module in MODULES if module)


@pytest.mark.parametrize("module", FILES)
def test_imports_go_down(module):
    above = {other for other in own(module) if not other or floor(other) > floor(module)}
    assert not above


def test_no_circle():
    graph = {module: set(own(module)) - {module} for module in FILES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("module", FILES)
def test_what_is_private_stays_in_its_folder(module):
    folder = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    for source, name, _ in imported(module):
        inside = source.partition(".")[2]
        path = f"{inside}.{name}".strip(".") if source.startswith("bitspike") else ""
        for i, part in enumerate(parts := path.split(".")):
            if part.startswith("_") and not part.startswith("__"):
                assert ".".join(parts[:i]) == folder, path


@pytest.mark.parametrize("module", FILES)
def test_only_ops_knows_the_native_module(module):
    names = {name for _, name, _ in imported(module)} | {
        source for source, _, _ in imported(module)
    }
    assert floor(module) == floor("ops") or not any(
        name.split(".")[-1] == "_native" for name in names
    )


@pytest.mark.parametrize("module", FILES)
def test_functions_import_extras_alone(module):
    for source, _, inside in imported(module):
        root = source.partition(".")[0]
        assert not inside or root not in {"bitspike", "torch", *sys.stdlib_module_names}, source


def test_every_floor_is_there():
    assert {module.partition(".")[0] for module in FILES} == set(FLOORS)


def test_no_call_counts_on_many_positions():
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                assert len(node.args) <= 5, f"{module}:{node.lineno}"
