"""Networks whose layers run as one operation."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from .sequence import run_whole


class Fused(nn.Sequential):
    """What `fuse` returns: the modules of a network, called with whole sequences.

    Parameters, buffers, states and the names in its ``state_dict`` are those of the network.
    """

    apart: dict[str, str]
    """The modules that ran by themselves in the last call, each with the reason."""

    def __init__(self, *modules: Any) -> None:
        """Takes the modules as ``nn.Sequential`` does."""
        super().__init__(*modules)
        self.apart = {}

    def forward(self, input: Tensor) -> Any:
        """Runs a sequence ``[T, B, *]``, as `unroll` runs the network.

        Raises:
            ValueError: if ``input`` has no time and batch axes.
            TypeError: if a neuron inside the network returns states, which nothing would take.
        """
        return self.run_sequence(input)

    def run_sequence(self, x: Tensor) -> Any:
        """The same; `unroll` calls it."""
        result, self.apart = run_whole(self, x, stacks=True, fold=not self.training)
        return result


def fuse(net: nn.Sequential) -> Fused:
    """Runs layers as one operation, which keeps one bit for each neuron and step.

    Between a packed input and the next layer that needs floats, ``nn.Linear``, ``nn.Conv1d`` and
    ``nn.Conv2d`` with the neurons behind them, ``nn.MaxPool2d``, ``nn.Flatten`` and, in eval mode,
    batch normalisations (folded into the weights) and dropouts, become one function: some samples
    go through all layers before the next ones, so that currents stay in the caches, and backward
    computes them anew from bits. Peak memory hardly depends on the batch then, nor on the number
    of layers; a training step takes up to a quarter longer than layer by layer.

    Spikes have the bits that `unroll` gives, unless a normalisation was folded, and gradients
    differ from those by rounding. Where a layer cannot take part, it runs as usual;
    ``Fused.apart`` then says why: its neuron returns states (``output=True``, or no
    ``init_hidden``) or has no kernel; a hook, ``torch.compile``, autocast or ``torch.func`` looks
    on; the input is dense. So do all layers of a stack if one of them meets so many spikes that a
    dense product is faster.

    Args:
        net: An ``nn.Sequential`` (nested at will) as `unroll` takes it. It shares its modules.

    Raises:
        TypeError: if ``net`` is no ``nn.Sequential``.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(30, 64), snn.Leaky(0.9, init_hidden=True),
        ...                     nn.Linear(64, 16), snn.Leaky(0.9, init_hidden=True))
        >>> x = snn.spikegen.rate(torch.full((64, 30), 0.1), num_steps=5, packed=True)
        >>> fused = snn.fuse(net)
        >>> fused(x).shape, fused.apart
        (torch.Size([5, 64, 16]), {})
    """
    if not isinstance(net, nn.Sequential):
        raise TypeError(f"net must be an nn.Sequential, not {type(net).__name__}")
    fused = Fused(OrderedDict(net.named_children()))
    fused.training = net.training
    return fused
