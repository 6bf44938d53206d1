"""``vectorize``: a program with a loop over time, run layer by layer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, overload

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
        self.apart: dict[str, str] = {}

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def run(self, args: Any, kwargs: Any) -> Any:
        """Runs the program by its plan."""
        if route.is_observed():
            return self.program(*args, **kwargs)
        plan = self._plan(args, kwargs)
        self.apart = plan.apart
        return plan(args, kwargs)

    def _plan(self, args: Any, kwargs: Any) -> Plan:
        known = self.plans.setdefault(key_of(args, kwargs), [])
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
    the module, and so are all other attributes.
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
        del own["training"]
        own["net"] = net
        own["_plans"] = _Plans(net)

    @property
    def apart(self) -> dict[str, str]:
        """The calls that ran step by step in the last call, each with the reason."""
        plans: _Plans = self.__dict__["_plans"]
        return plans.apart

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the module's program over all steps.

        Raises:
            GraphError: if it cannot be captured; see `vectorize`.
            TypeError: for an argument that is neither a tensor nor hashable.
        """
        return self.__dict__["_plans"].run(args, kwargs)

    def train(self, mode: bool = True) -> Vectorized:
        """Sets the mode of the module."""
        self.net.train(mode)
        return self

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Vectorized:
        self.net._apply(fn, recurse)
        return self

    def _save_to_state_dict(self, *args: Any) -> None:
        self.net._save_to_state_dict(*args)

    def _load_from_state_dict(self, *args: Any) -> None:
        self.net._load_from_state_dict(*args)

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


class VectorizedFunction:
    """What `vectorize` returns for a function: a function of the same arguments."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """Takes name and text of the function."""
        functools.update_wrapper(self, function)
        self._plans = _Plans(function)

    @property
    def apart(self) -> dict[str, str]:
        """The calls that ran step by step in the last call, each with the reason."""
        return self._plans.apart

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the function's program over all steps; see `Vectorized.forward`."""
        return self._plans.run(args, kwargs)


@overload
def vectorize(net: nn.Module) -> Vectorized: ...  # type: ignore[overload-overlap]
@overload
def vectorize(net: Callable[..., Any]) -> VectorizedFunction: ...
def vectorize(net: Any) -> Any:
    """Runs a program with a loop over time layer by layer, each over all steps at once.

    The program is the ``forward`` of a module, or a function, that calls neurons, layers and torch
    functions step by step, as snnTorch's tutorials do: states that are passed and returned or
    hidden ones, ``init_leaky`` and ``utils.reset``, lists and ``torch.stack``, several recordings,
    losses that are added up. What is called with the same input at every step is called once. The
    first call captures the program (`graph.capture`); calls with other shapes, numbers or modes,
    or after an attribute of the module or a global variable was changed, capture it again.

    A layer takes all steps in one call, and packed spikes go from layer to layer, if each step
    needs nothing but the same step, or former steps, of layers in front of it, and its own state.
    Layers that feed an earlier one run step by step, with those in between, as do calls of which
    nothing is known, batch normalisations in training, and modules with hooks; `Vectorized.apart`
    names them.

    Results, gradients, hidden states, buffers and random numbers are those of the loop. Spikes have
    the same bits where products have: torch may add a product of ``T·B`` rows in another order than
    one of ``B`` rows, and recurrent layers add what comes back in another order (see `RLeaky`).
    Recordings of spikes are `SpikeTensor`. After a call the flag ``reset`` of neurons is that of a
    sequence: there is none.

    Under ``torch.compile`` the call runs as it is, between compiled parts. Under ``torch.export``,
    ``torch.func`` and modes that look at what runs, the loop itself runs.

    Args:
        net: A module, or a function. A module's parameters, ``state_dict`` and mode remain its own.

    Returns:
        A `Vectorized` module or a function, with the same arguments and results.

    Raises:
        TypeError: if ``net`` is not callable. The call raises `graph.GraphError`, with the line of
            the program, where a graph cannot say what it does: see `graph.capture`.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc, self.lif = nn.Linear(3, 2), snn.Leaky(beta=0.9)
        ...     def forward(self, x):
        ...         mem, recorded = self.lif.init_leaky(), []
        ...         for step in range(x.size(0)):
        ...             spk, mem = self.lif(self.fc(x[step]), mem)
        ...             recorded.append(spk)
        ...         return torch.stack(recorded), mem
        >>> net = snn.vectorize(Net())
        >>> spikes, mem = net(torch.rand(25, 4, 3))
        >>> spikes.shape, mem.shape, net.apart
        (torch.Size([25, 4, 2]), torch.Size([4, 2]), {})
    """
    if isinstance(net, nn.Module):
        return Vectorized(net)
    if not callable(net):
        raise TypeError(f"net must be a module or a function, not {type(net).__name__}")
    return VectorizedFunction(net)
