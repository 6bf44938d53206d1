"""docs/migration.md lists what snnTorch has and bitspike has not, and nothing else."""

import importlib
import inspect
import re
import warnings
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "migration.md"
SHORT = {"snn": "", "SF": ".functional", "utils": ".utils"}
# Not spikeplot, which cannot be imported without pandas; tests/tools compares that.
MODULES = ("", ".surrogate", ".spikegen", ".functional", ".utils", ".backprop")


def missing_names():
    """The names in the first column of the table of what is not provided."""
    text = PAGE.read_text(encoding="utf-8")
    section = re.search(r"^## What is not provided$(.*?)^## ", text, re.M | re.S)[1]
    column = re.findall(r"^\| (.*?) \|", section, re.M)
    names = re.findall(r"`(snn|SF|utils)\.(\w+)`", "\n".join(column))
    return {f"{SHORT[module]}.{name}" for module, name in names}


def in_bitspike(path):
    module, _, name = path.rpartition(".")
    return hasattr(importlib.import_module(f"bitspike{module}"), name)


def test_what_is_said_to_be_missing_is():
    assert missing_names()
    assert not {path for path in missing_names() if in_bitspike(path)}


def test_all_that_is_missing_is_said_to_be():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # snnTorch deprecates its own modules
        theirs = {path: importlib.import_module(f"snntorch{path}") for path in MODULES}
    public = {
        f"{path}.{name}"
        for path, module in theirs.items()
        for name, value in vars(module).items()
        if (inspect.isclass(value) or inspect.isfunction(value)) and name[0] != "_"
        if value.__module__.startswith("snntorch")
    }
    assert ".Leaky" in public and ".functional.ce_rate_loss" in public
    assert {path for path in public if not in_bitspike(path)} <= missing_names()
