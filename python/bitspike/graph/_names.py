"""How graphs call modules and tensors."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn

from bitspike.layers.batch_norm import BatchNormTT

from ._frames import outer_variables


class Names:
    """The names of modules and tensors of one program."""

    def __init__(self, program: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.program = getattr(program, "__name__", type(program).__name__)
        self.roots = dict(_roots(program, args, kwargs))
        self.modules: dict[nn.Module, str] = {}
        for root, prefix in self.roots.items():
            for name, module in root.named_modules(remove_duplicate=True):
                self.modules.setdefault(module, ".".join(filter(None, (prefix, name))))
        self.called = set(self.roots)

    def of(self, module: nn.Module) -> str:
        """The path of a module."""
        if module not in self.modules:
            self._meet(module)
        self.called.add(module)
        return self.modules[module] or self.program

    def _meet(self, module: nn.Module) -> None:
        prefix = type(module).__name__
        taken = set(self.modules.values())
        fresh = next(
            name
            for i in itertools.count()
            if (name := f"{prefix}_{i}" if i else prefix) not in taken
        )
        for name, child in module.named_modules():
            self.modules.setdefault(child, ".".join(filter(None, (fresh, name))))

    def entry(self, module: nn.Module) -> tuple[BatchNormTT, int] | None:
        """The normalisation through time that a module is an entry of, and its step."""
        path, _, last = self.modules[module].rpartition(".")
        for owner, name in self.modules.items():
            if isinstance(owner, BatchNormTT) and name == path and last.isdigit():
                return owner, int(last)
        return None

    def of_modules(self) -> dict[nn.Module, str]:
        """All modules that were called, in the order of their paths."""
        return {module: path for module, path in self.modules.items() if module in self.called}

    def holder(self, tensor: Tensor) -> tuple[nn.Module, str, str] | None:
        """The module, the attribute and the path of a tensor that a module holds."""
        for module, path in self.modules.items():
            own = (module._parameters, module._buffers, module.__dict__)
            for name, held in itertools.chain.from_iterable(x.items() for x in own):
                if held is tensor:
                    return module, name, f"{path}.{name}".strip(".")
        return None


def _roots(program: Any, args: Any, kwargs: Any) -> Iterator[tuple[nn.Module, str]]:
    """The modules that a program can reach, with the names that it has for them."""
    if isinstance(program, nn.Module):
        yield program, ""
        return
    owner = getattr(program, "__self__", None)
    if isinstance(owner, nn.Module):
        yield owner, ""
    for name, value in parameters_of(program, args, kwargs):
        if isinstance(value, nn.Module):
            yield value, name
    for variable in outer_variables(program):
        value = variable.read()
        if isinstance(value, nn.Module):
            yield value, variable.name


def parameters_of(program: Any, args: Any, kwargs: Any) -> Iterator[tuple[str, Any]]:
    """The arguments of a call, with the names of the parameters that take them."""
    call = program.forward if isinstance(program, nn.Module) else program
    try:
        bound = inspect.signature(call).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        bound = {f"args{i}": value for i, value in enumerate(args)} | kwargs
    yield from bound.items()
