"""Running a network written for single steps over a whole sequence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor
from bitspike.ops.route import has_hooks


def unroll(net: nn.Module, x: Tensor) -> Any:
    """Runs ``net`` over all steps of ``x`` at once, whatever its neurons' ``multi_step`` says.

    Neurons run their whole sequence in one call, and so does every module that has a method
    ``run_sequence``, such as a delay. Modules between them have no time of their own: they see time
    folded into the batch, ``[T·B, *]``; those in front of the first neuron see one step only, if
    the input is the same at all steps (``x.expand(T, ...)``, stride 0 in time). Modules that look
    across the batch, such as batch normalisation, therefore normalise over time as well.

    Hooks of the modules run as often as the modules do: once for the sequence. Those of
    ``nn.Sequential`` itself do not run, nor do those of neurons in a compiled program.

    Args:
        net: A neuron, or an ``nn.Sequential`` (nested at will) of neurons with
            ``init_hidden=True``, modules with ``run_sequence``, and stateless modules.
        x: ``[T, B, *]``

    Returns:
        What the last module returns, over all steps.

    Raises:
        ValueError: if ``x`` has no time and batch axes.
        TypeError: if a neuron inside the network returns states, which nothing would take.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> lif = snn.Leaky(beta=0.9, init_hidden=True)
        >>> net = nn.Sequential(nn.Linear(3, 2), lif)
        >>> snn.unroll(net, torch.rand(25, 4, 3)).shape
        torch.Size([25, 4, 2])
    """
    x = as_tensor(x, "x")
    if x.dim() < 2:
        raise ValueError(f"x must be a sequence [T, B, *], not {tuple(x.shape)}")
    modules = list(_flat(net))
    steps = x.shape[0]
    same = steps > 1 and x.stride(0) == 0
    value: Any = x[0] if same else x
    for i, module in enumerate(modules):
        if hasattr(module, "run_sequence"):
            if same:
                value, same = torch.broadcast_to(value, (steps, *value.shape)), False
            value = _run_sequence(module, value)
            if not isinstance(value, Tensor) and i + 1 < len(modules):
                raise TypeError(
                    f"module {i}, {type(module).__name__}, returns its states; inside a network "
                    "use init_hidden=True without output"
                )
        elif same:
            value = module(value)
        else:
            value = torch.unflatten(module(value.flatten(0, 1)), 0, (steps, x.shape[1]))
    return torch.broadcast_to(value, (steps, *value.shape)) if same else value


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


def _flat(net: nn.Module) -> list[nn.Module]:
    if isinstance(net, nn.Sequential):
        return [module for child in net for module in _flat(child)]
    return [net]
