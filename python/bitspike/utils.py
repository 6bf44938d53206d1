"""Helpers around networks of neurons."""

from __future__ import annotations

from torch import nn

from bitspike.neurons._hidden import HiddenState


def reset(net: nn.Module) -> None:
    """Zeroes the hidden states of all neurons of ``net``, however deep, and of no other network.

    Delays are emptied and masks of `TimeDropout` drawn anew. Call it before each new batch of
    sequences when modules keep their state (neurons with ``init_hidden``).

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
        if isinstance(module, HiddenState):
            module.reset_mem()
