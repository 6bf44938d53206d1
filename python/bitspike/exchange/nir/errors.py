"""What cannot be exchanged."""

from __future__ import annotations


class NIRError(ValueError):
    """A network that NIR cannot say, or a file or a graph of NIR that cannot be read.

    Its text names the module or the node, the reason, and what to do instead.

    Example:
        >>> import torch, bitspike as snn
        >>> net = snn.Leaky(beta=0.9, init_hidden=True)
        >>> snn.nir.to_nir(net, torch.rand(1, 3), dt=1e-3)
        Traceback (most recent call last):
            ...
        bitspike.exchange.nir.errors.NIRError: Leaky: ...reset="graph"...
    """
