"""What a program finds, and gets back after it was captured."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.state import HiddenState

from ._known import Known
from .errors import GraphError
from .values import leaves, tensors_of

_OWN = ("_parameters", "_buffers", "_modules")


class Before:
    """The hidden states, buffers and attributes of all modules that a program calls."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self.attributes: dict[nn.Module, dict[str, Any]] = {}
        self.buffers: dict[nn.Module, dict[str, Tensor]] = {}
        self.generators: dict[torch.Generator, Tensor] = {}
        for module in modules:
            self.meet(module)

    def __enter__(self) -> Before:
        self.random = torch.get_rng_state()
        return self

    def meet(self, module: nn.Module) -> None:
        """Notes what a module holds before its first call."""
        if module in self.attributes:
            return
        self.attributes[module] = {
            name: copy.copy(value) if isinstance(value, list | dict) else value
            for name, value in module.__dict__.items()
            if name not in _OWN
        }
        self.buffers[module] = {
            name: buffer.clone() for name, buffer in module._buffers.items() if buffer is not None
        }

    def states(self, module: HiddenState) -> list[Tensor]:
        """The states that a module held."""
        return [self.attributes[module][name] for name in module.STATES]

    def keep_generators(self, *arguments: Any) -> None:
        """Notes the states of generators of random numbers."""
        for x in leaves(arguments):
            if isinstance(x, torch.Generator) and x not in self.generators:
                self.generators[x] = x.get_state()

    def attributes_set(self, known: Known) -> list[tuple[nn.Module, str, Any]]:
        """Tensors that the program has left on its modules.

        Raises:
            GraphError: if it has left anything else there.
        """
        found = []
        for module, old in self.attributes.items():
            hidden = module._hidden_state() if isinstance(module, HiddenState) else {}
            for name, value in module.__dict__.items():
                if name in _OWN or name in hidden or value is old.get(name):
                    continue
                if any(True for _ in tensors_of(value)):
                    found.append((module, name, known.structure(value)))
                elif not _equal(value, old.get(name)):
                    raise GraphError(
                        f"{known.names.of(module)}.{name} is set to what is no tensor; a graph "
                        "would not set it again"
                    )
        return found

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        torch.set_rng_state(self.random)
        for generator, state in self.generators.items():
            generator.set_state(state)
        for module, attributes in self.attributes.items():
            for name in set(module.__dict__) - set(attributes) - set(_OWN):
                del module.__dict__[name]
            module.__dict__.update(attributes)
        with torch.no_grad():
            for module, buffers in self.buffers.items():
                for name, buffer in buffers.items():
                    held = module._buffers.get(name)
                    if held is not None and not torch.equal(held, buffer):
                        held.copy_(buffer)


def _equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)
