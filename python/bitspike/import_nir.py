"""Graphs of NIR as networks, under snnTorch's name; `bitspike.nir` has more."""

from __future__ import annotations

from typing import Any

from bitspike.exchange import nir


def import_from_nir(graph: Any, *, dt: float = 1e-4) -> nir.Network:
    """Makes a network of a graph of NIR: :func:`bitspike.nir.from_nir`, called as in snnTorch.

    Args:
        graph: A ``nir.NIRGraph``, or the path of a file.
        dt: How long a step is, in the unit of the time constants; snnTorch's is always 0.1 ms.

    Returns:
        A network that takes whole sequences, ``net(x)``, or single steps, ``net.step(x, state)``.

    Raises:
        NIRError: as `from_nir`.
        ValueError: as `from_nir`.
        OSError: as `from_nir`.
        ImportError: if h5py is needed and missing.

    Example:
        >>> import torch, bitspike as snn
        >>> from bitspike.export_nir import export_to_nir
        >>> from bitspike.import_nir import import_from_nir
        >>> lif = snn.Leaky(beta=0.9, init_hidden=True)
        >>> net = import_from_nir(export_to_nir(lif, torch.rand(1, 3)))
        >>> net(torch.rand(5, 1, 3)).shape
        torch.Size([5, 1, 3])
    """
    return nir.from_nir(graph, dt=dt)
