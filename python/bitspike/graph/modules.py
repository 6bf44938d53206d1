"""Which modules are single calls in a graph."""

from __future__ import annotations

import sys

from torch import nn

from bitspike.state import HiddenState


def is_leaf(module: nn.Module) -> bool:
    """Whether a call of a module is one call in a graph, and not the calls that it makes."""
    if isinstance(module, HiddenState):
        return True
    kind = type(module)
    library = kind.__module__.partition(".")[0]
    if library == __name__.partition(".")[0]:
        # A program in a docstring of this package has the name of its module. A class of the
        # package that is a program says so.
        is_ours = vars(sys.modules[kind.__module__]).get(kind.__name__) is kind
        return is_ours and not getattr(kind, "is_program", False)
    return library == "torch" and not isinstance(module, nn.Sequential)


def shaped_as(module: nn.Module) -> type[nn.Module]:
    """The class that says what shapes a module takes and returns: its own, or what it names.

    A class of this package names another as ``shaped_as`` if its calls differ in numbers alone.
    """
    kind: type[nn.Module] = getattr(type(module), "shaped_as", type(module))
    return kind
