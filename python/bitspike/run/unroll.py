"""Running a network written for single steps over a whole sequence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .sequence import run_whole


def unroll(net: nn.Module, x: Tensor) -> Any:
    """Runs ``net`` over all steps of ``x`` at once, whatever its neurons' ``multi_step`` says.

    Neurons run their whole sequence in one call, and so does every module that has a method
    ``run_sequence``, such as a delay. Modules between them have no time of their own: they see time
    folded into the batch, ``[T·B, *]``; those in front of the first neuron see one step only, if
    the input is the same at all steps (``x.expand(T, ...)``, stride 0 in time). Modules that look
    across the batch, such as batch normalisation, therefore normalise over time as well.

    In eval mode and without gradients, layers between which bits suffice run as one operation: see
    `fuse`, which does so in training too. Spikes have the same bits.

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
        TypeError: if a neuron inside the network returns states, which nothing would take; or if
            another module than these holds neurons, such as ``DistributedDataParallel``.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> lif = snn.Leaky(beta=0.9, init_hidden=True)
        >>> net = nn.Sequential(nn.Linear(3, 2), lif)
        >>> snn.unroll(net, torch.rand(25, 4, 3)).shape
        torch.Size([25, 4, 2])
    """
    result, _ = run_whole(net, x, stacks=not (net.training or torch.is_grad_enabled()))
    return result
