"""The integrate-and-fire neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .leaky import Leaky

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Options


class IF(Leaky):
    r"""Integrate-and-fire neuron without leak: `Leaky` with ``β = 1``.

    .. math::
        U[t] = U[t-1] + I[t] - R[t]θ, \qquad S[t] = γ·(U[t] > θ), \qquad R[t] = (U[t-1] > θ)

    Its firing rate is proportional to its input, which makes it the counterpart of a ReLU (Cao,
    Chen & Khosla, Int. J. Comput. Vis. 2015). It runs in the kernel of `Leaky`, and its
    ``state_dict`` holds a ``beta`` of 1.

    Args:
        options: ``threshold``, ``reset_mechanism``, ``multi_step`` and the rest, see
            `SpikingNeuron`; all resets are those of `Leaky`.

    Shapes:
        As `Leaky`.

    Raises:
        ValueError: as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> spikes, membrane = snn.IF(multi_step=True)(torch.full((6, 1), 0.5))
        >>> membrane[:, 0]
        tensor([0.5000, 1.0000, 1.5000, 1.0000, 1.5000, 1.0000])
        >>> spikes.dense()[:, 0]
        tensor([0., 0., 1., 0., 1., 0.])
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__(beta=1.0, **options)
