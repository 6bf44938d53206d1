"""Helpers around networks of neurons."""

from __future__ import annotations

from torch import nn

from bitspike.neurons import SpikingNeuron


def reset(net: nn.Module) -> None:
    """Zeroes the hidden states of all neurons of ``net``, however deep, and of no other network.

    Call it before each new batch of sequences when neurons keep their state (``init_hidden``).

    Args:
        net: The network.

    Example:
        >>> import torch, bitspike as snn
        >>> lif = snn.Leaky(beta=0.9, init_hidden=True)
        >>> _ = lif(torch.ones(2))
        >>> snn.utils.reset(lif)
        >>> lif.mem
        tensor([0., 0.])
    """
    for module in net.modules():
        if isinstance(module, SpikingNeuron):
            module.reset_mem()
