"""Networks as graphs of NIR, under snnTorch's name; `bitspike.nir` has more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from bitspike.exchange import nir


def export_to_nir(
    module: nn.Module,
    sample_data: Tensor,
    model_name: str = "snntorch",
    model_fwd_args: Sequence[Any] = [],
    ignore_dims: Sequence[int] = [],
    *,
    dt: float = 1e-4,
    reset: str = "graph",
) -> Any:
    """Makes a graph of NIR of a network: :func:`bitspike.nir.to_nir`, called as in snnTorch.

    snnTorch writes a reset to zero whatever a network does; this says ``"subtract"`` exactly, by a
    circle of nodes.

    Args:
        module: The network, in eval mode.
        sample_data: What it is called with: one step ``[B, *]``, or a sequence.
        model_name: Without effect: a graph has no name.
        model_fwd_args: More arguments of the call.
        ignore_dims: Without effect: axes of batch and time are known.
        dt: Seconds per step; snnTorch's is always 0.1 ms.
        reset: As for `to_nir`.

    Returns:
        A ``nir.NIRGraph``.

    Raises:
        NIRError: as `to_nir`.
        GraphError: as `to_nir`.
        TypeError: as `to_nir`.
        ValueError: as `to_nir`.
        ImportError: without the package nir.

    Example:
        >>> import torch, bitspike as snn
        >>> from bitspike.export_nir import export_to_nir
        >>> lif = snn.Leaky(beta=0.9, init_hidden=True)
        >>> net = torch.nn.Sequential(torch.nn.Linear(3, 2), lif)
        >>> sorted(export_to_nir(net, torch.rand(1, 3)).nodes)
        ['0', '1.li', '1.reset', '1.threshold', 'input', 'output']
    """
    more = tuple(model_fwd_args)
    net = (lambda x: module(x, *more)) if more else module
    return nir.to_nir(net, sample_data, dt=dt, reset=reset)
