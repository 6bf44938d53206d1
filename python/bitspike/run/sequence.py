"""The modules of a network one after another, each over the whole sequence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor
from bitspike.graph.modules import shaped_as
from bitspike.layers.residual import Residual
from bitspike.ops.route import has_hooks
from bitspike.state import HiddenState

from .stack.plan import plan, run_plan


def flat(net: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The modules of nested ``nn.Sequential``, by name."""
    if not isinstance(net, nn.Sequential):
        yield name, net
        return
    for child, module in net.named_children():
        yield from flat(module, f"{name}.{child}".strip("."))


def run_whole(
    net: nn.Module, x: Tensor, *, stacks: bool, fold: bool = False
) -> tuple[Any, dict[str, str]]:
    """Runs a network over a sequence ``[T, B, *]``.

    Args:
        net: As for `unroll`.
        x: Likewise.
        stacks: Whether layers between which bits suffice run as one operation.
        fold: Whether these take in batch normalisations in eval mode.

    Returns:
        What the last module returns, and the reasons why others did not run as one operation.

    Raises:
        ValueError: if ``x`` has no time and batch axes.
        TypeError: if a neuron inside the network returns states, or a module that is none of those
            of `unroll` holds neurons.
    """
    x = as_tensor(x, "x")
    if x.dim() < 2:
        raise ValueError(f"x must be a sequence [T, B, *], not {tuple(x.shape)}")
    names, modules = zip(*found, strict=True) if (found := list(flat(net))) else ((), ())
    steps = x.shape[0]
    same = steps > 1 and x.stride(0) == 0
    value: Any = x[0] if same else x
    apart: dict[str, str] = {}
    i = 0
    while i < len(modules):
        planned = plan(modules[i:], value, fold) if stacks else ""
        if not isinstance(planned, str):
            value, reason = run_plan(planned, value)
            together = names[i : i + planned.modules]
            apart |= dict.fromkeys(together, reason) if reason else {}
            i += planned.modules
            continue
        module = modules[i]
        if stacks:
            apart[names[i]] = planned
        if hasattr(module, "run_sequence"):
            if same:
                value, same = torch.broadcast_to(value, (steps, *value.shape)), False
            value = _run_sequence(module, value)
            if not isinstance(value, Tensor) and i + 1 < len(modules):
                raise TypeError(
                    f"module {i}, {type(module).__name__}, returns its states; inside a network "
                    "use init_hidden=True without output"
                )
        elif isinstance(module, Residual):
            if same:
                value, same = torch.broadcast_to(value, (steps, *value.shape)), False
            value, inside = _run_residual(module, value, stacks=stacks, fold=fold)
            apart |= {f"{names[i]}.{name}".strip("."): reason for name, reason in inside.items()}
        elif _holds_neurons(module):
            raise TypeError(
                f"module {i}, {type(module).__name__}, holds neurons, which would see time as "
                "batch; unroll the nn.Sequential inside of it, or vectorize its loop over steps"
            )
        elif same or _is_timeless(module, value):
            value = module(value)
        else:
            value = torch.unflatten(module(value.flatten(0, 1)), 0, (steps, x.shape[1]))
        i += 1
    return torch.broadcast_to(value, (steps, *value.shape)) if same else value, apart


def _run_residual(
    block: Residual, x: Tensor, *, stacks: bool, fold: bool
) -> tuple[Any, dict[str, str]]:
    """What a block returns for a sequence, and why modules inside did not run as one operation."""
    apart: dict[str, str] = {}

    def run(name: str, value: Tensor) -> Any:
        result, inside = run_whole(getattr(block, name), value, stacks=stacks, fold=fold)
        apart.update({f"{name}.{part}".strip("."): reason for part, reason in inside.items()})
        return result

    return block.through(x, run), apart


def _holds_neurons(module: nn.Module) -> bool:
    """Whether neurons that keep their state, or the like, are somewhere in a module."""
    inside = (part for part in module.modules() if isinstance(part, HiddenState))
    return any(getattr(part, "init_hidden", True) for part in inside)


def _is_timeless(module: nn.Module, x: Tensor) -> bool:
    """Whether a module takes time and batch as they are.

    Then no view stands in the graph between it and neurons, whose backward may give it errors.
    """
    return shaped_as(module) is nn.Linear and x.dim() == 3 and not has_hooks(module)


def _run_sequence(module: Any, x: Tensor) -> Any:
    """``module.run_sequence(x)``, with the module's hooks around it, as torch has them."""
    if torch.compiler.is_compiling() or not has_hooks(module):
        return module.run_sequence(x)
    own = module.__dict__.get("forward")

    def restore() -> None:
        module.__dict__.pop("forward", None)
        if own is not None:
            module.forward = own

    def forward(*inputs: Any) -> Any:
        restore()  # run_sequence may call the module's own forward
        return module.run_sequence(*inputs)

    # torch runs hooks around a method named forward only.
    module.forward = forward
    try:
        return module(x)
    finally:
        restore()
