"""The neuron with an adaptive threshold in a recurrent layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from bitspike.neurons.base.neuron import Result
from bitspike.neurons.base.recurrent import Recurrent

from .alif import ALIF

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Options


class RALIF(Recurrent):
    r"""Recurrent layer of adaptive neurons: an LSNN (Bellec et al. 2018, 2020).

    .. math::
        a[t] = ρa[t-1] + R[t], \qquad U[t] = βU[t-1] + I[t] + \mathrm{rec}(S[t-1]) - R[t]θ, \qquad
        S[t] = (U[t] - β_a a[t] > θ), \qquad R[t] = (U[t-1] - β_a a[t-1] > θ)

    with ``β`` and ``ρ`` clamped to ``[0, 1]``; ``rec`` as in `RLeaky`, resets and gradients as in
    `ALIF`. Gradients also flow through the spikes that come back.

    Args:
        beta: Decay ``β`` of the membrane per step: a number, or a tensor that broadcasts against
            one step.
        rho: Decay ``ρ`` of the adaptation, likewise.
        beta_a: What a spike adds to the threshold, likewise.
        V, all_to_all, linear_features, conv2d_channels, kernel_size: The connection, see `RLeaky`.
        learn_beta: Make ``beta`` a parameter.
        learn_rho: Make ``rho`` a parameter.
        learn_beta_a: Make ``beta_a`` a parameter.
        learn_recurrent: Learn the connection.
        options: See `SpikingNeuron`.

    Shapes:
        As `RLeaky`, with one state more.

    Raises:
        TypeError: as `RLeaky`.
        ValueError: as `RLeaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> layer = snn.RALIF(beta=0.9, rho=0.98, beta_a=0.1, linear_features=100, multi_step=True)
        >>> spikes, a, mem = layer(torch.rand(25, 4, 100))
        >>> spikes.shape, a.shape
        (torch.Size([25, 4, 100]), torch.Size([25, 4, 100]))
    """

    NAME, PARAMETERS = ALIF.NAME, ALIF.PARAMETERS
    STATES = ("spk", "a", "mem")
    RESETS, IMMEDIATE = ALIF.RESETS, ALIF.IMMEDIATE
    equation = ALIF.step

    rho: Tensor
    beta_a: Tensor
    a: Tensor

    def __init__(
        self,
        beta: float | Tensor,
        rho: float | Tensor,
        beta_a: float | Tensor,
        *,
        V: float | Tensor = 1.0,
        all_to_all: bool = True,
        linear_features: int | None = None,
        conv2d_channels: int | None = None,
        kernel_size: int | tuple[int, int] | None = None,
        learn_beta: bool = False,
        learn_rho: bool = False,
        learn_beta_a: bool = False,
        learn_recurrent: bool = True,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(beta=beta, learn_beta=learn_beta, **options)
        self._connect(
            V,
            all_to_all,
            linear_features=linear_features,
            conv2d_channels=conv2d_channels,
            kernel_size=kernel_size,
            learn_recurrent=learn_recurrent,
        )
        self._constant("rho", rho, learn_rho)
        self._constant("beta_a", beta_a, learn_beta_a)

    def coefficients(self) -> tuple[Tensor, ...]:
        """As those of `ALIF`."""
        return ALIF.coefficients(self)  # type: ignore[arg-type]

    def level(self, *states: Tensor) -> Tensor:
        """What is compared with the threshold, as in `ALIF`; the spikes before do not count."""
        return ALIF.level(self, *states[-2:])  # type: ignore[arg-type]

    def forward(
        self,
        input_: Tensor,
        spk: Tensor | None = None,
        a: Tensor | None = None,
        mem: Tensor | None = None,
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (spk, a, mem))
