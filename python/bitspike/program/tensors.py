"""The tensors of a neuron, which a program has for constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import RLock
from typing import Any

from torch import Tensor, nn

from .errors import ProgramError

_OF_MODULES = frozenset(vars(nn.Module())) - {"training"} | {"_before"}
"""Attributes that every module has, or every neuron, and that are no part of what it computes."""
_changing = RLock()


def attributes(module: nn.Module) -> dict[str, Any]:
    """What a module was given as plain attributes, without the states that it keeps."""
    states = getattr(module, "STATES", ())
    return {
        name: value
        for name, value in vars(module).items()
        if name not in _OF_MODULES and name not in states
    }


def tensors_of(neuron: nn.Module) -> dict[str, Tensor]:
    """Parameters, buffers and other tensors of a neuron and of its parts, by their paths."""
    return {
        f"{path}.{name}".lstrip("."): x
        for path, module in neuron.named_modules()
        for holder in (module._parameters, module._buffers, attributes(module))
        for name, x in holder.items()
        if isinstance(x, Tensor) and not x.is_complex()
    }


def tensor_of(neuron: nn.Module, path: str) -> Tensor:
    """The tensor at a path that `tensors_of` has."""
    owner, _, name = path.rpartition(".")
    module = neuron.get_submodule(owner) if owner else neuron
    found: Tensor = _holder(module, name)[name]
    return found


def learned_and_fixed(neuron: nn.Module) -> list[Tensor]:
    """Parameters and buffers of a neuron and of its parts."""
    if neuron._modules:
        return [*neuron.parameters(), *neuron.buffers()]
    both = (*neuron._parameters.values(), *neuron._buffers.values())
    return [x for x in both if x is not None]


@contextmanager
def lent(neuron: nn.Module, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """Puts other tensors in the place of a neuron's own, for a while.

    Raises:
        ProgramError: if the neuron has other attributes afterwards. It gets its old ones back.
    """
    modules = dict(neuron.named_modules())
    with _changing:
        before = {
            path: (dict(x.__dict__), dict(x._parameters), dict(x._buffers))
            for path, x in modules.items()
        }
        for path, tensor in tensors.items():
            owner, _, name = path.rpartition(".")
            _holder(modules[owner], name)[name] = tensor
        lending = {path: dict(x.__dict__) for path, x in modules.items()}
        try:
            yield
            changed = [
                name
                for path, x in modules.items()
                for name in {**lending[path], **x.__dict__}
                if x.__dict__.get(name, before) is not lending[path].get(name, before)
            ]
        finally:
            for path, (attributes_, parameters, buffers) in before.items():
                module = modules[path]
                module.__dict__.clear()
                module.__dict__.update(attributes_)
                module._parameters.update(parameters)
                module._buffers.update(buffers)
    if changed:
        raise ProgramError(f"step changes {changed[0]}, an attribute of the neuron")


def _holder(module: nn.Module, name: str) -> dict[str, Any]:
    for holder in (module._parameters, module._buffers):
        if name in holder:
            return holder
    return module.__dict__
