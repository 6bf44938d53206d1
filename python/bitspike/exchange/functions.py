"""The torch functions that files have words for."""

from __future__ import annotations

from typing import Any

from torch import nn

ADDS = ("add", "radd", "iadd")
MULTIPLIES = ("mul", "rmul", "multiply")
RESHAPES = ("flatten", "reshape", "view")
DROPOUTS = ("dropout", "dropout1d", "dropout2d")
"""They change nothing in eval mode."""
PASSES = ("getitem", "unbind", "select", "detach", "contiguous", "float", "clone", "unsqueeze")
"""They change no number: what they pick of a sequence is the step that runs."""
POOLS: dict[str, Any] = {
    "max_pool1d": nn.MaxPool1d,
    "max_pool2d": nn.MaxPool2d,
    "avg_pool1d": nn.AvgPool1d,
    "avg_pool2d": nn.AvgPool2d,
}
"""Functions that take the arguments of a module's constructor behind the input."""
