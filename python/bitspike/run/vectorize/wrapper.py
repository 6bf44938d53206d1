"""``vectorize``: a program with a loop over time, run layer by layer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import nn

from bitspike.graph import capture
from bitspike.ops import route

from .guards import Guards, key_of
from .plan import Plan

_KEPT = 16
"""How many plans are kept for each kind of arguments."""


class _Plans:
    """The plans of a program, one for each kind of call."""

    def __init__(self, program: Callable[..., Any]) -> None:
        self.program = program
        self.plans: dict[Hashable, list[tuple[Guards, Plan]]] = {}

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def run(self, args: Any, kwargs: Any) -> Any:
        """Runs the program by its plan."""
        if route.is_observed():
            return self.program(*args, **kwargs)
        return self.plan(args, kwargs)(args, kwargs)

    def plan(self, args: Any, kwargs: Any) -> Plan:
        """The plan for a call, captured if there is none."""
        key = key_of(args, kwargs)
        known = self.plans.setdefault(key, [])
        for guards, plan in known:
            if guards.hold():
                return plan
        graph = capture(self.program, *args, **kwargs)
        found = Guards(graph), Plan(graph)
        known.insert(0, found)
        del known[_KEPT:]
        return found[1]


class Vectorized(nn.Module):
    """What `vectorize` returns for a module: the same module, called in another way.

    Parameters, buffers, submodules, ``training`` and the names in its ``state_dict`` are those of
    the module, as are all attributes that it does not have itself.
    """

    net: nn.Module
    """The module."""

    def __init__(self, net: nn.Module) -> None:
        """Shares what the module holds."""
        super().__init__()
        self._share(net)

    def _share(self, net: nn.Module) -> None:
        own = self.__dict__
        for name in ("_parameters", "_buffers", "_non_persistent_buffers_set", "_modules"):
            own[name] = net.__dict__[name]
        own.pop("training", None)
        own["net"] = net
        own["_plans"] = _Plans(net)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the module's program over all steps.

        Raises:
            GraphError: if it cannot be captured; see `vectorize`.
            TypeError: for an argument that is neither a tensor nor hashable.
        """
        return self._plans.run(args, kwargs)

    def plan(self, *args: Any, **kwargs: Any) -> Plan:
        """How a call with these arguments runs."""
        plans: _Plans = self._plans
        return plans.plan(args, kwargs)

    def train(self, mode: bool = True) -> Vectorized:
        """Sets the mode of the module."""
        self.net.train(mode)
        return self

    def __getattr__(self, name: str) -> Any:
        net = self.__dict__.get("net")
        if net is None:
            raise AttributeError(name)
        return getattr(net, name)

    def __setattr__(self, name: str, value: Any) -> None:
        net = self.__dict__.get("net")
        if net is None:
            super().__setattr__(name, value)
        else:
            setattr(net, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.net, name)

    def __getstate__(self) -> dict[str, Any]:
        return {"net": self.net}

    def __setstate__(self, state: dict[str, Any]) -> None:
        nn.Module.__init__(self)
        self._share(state["net"])


def vectorize(net: Callable[..., Any]) -> Callable[..., Any]:
    """X"""
    if isinstance(net, nn.Module):
        return Vectorized(net)
    plans = _Plans(net)

    @functools.wraps(net)
    def run(*args: Any, **kwargs: Any) -> Any:
        return plans.run(args, kwargs)

    return run
