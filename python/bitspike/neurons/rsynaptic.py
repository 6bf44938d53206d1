"""The neuron with a synaptic current of its own in a recurrent layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor

from bitspike.neurons.base.neuron import Result
from bitspike.neurons.base.recurrent import Recurrent

from .synaptic import Synaptic

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Switches


class RSynaptic(Recurrent):
    r"""Recurrent layer of leaky neurons with a synaptic current (Eshraghian et al. 2023).

    .. math::
        I_s[t] = αI_s[t-1] + I[t] + \mathrm{rec}(S[t-1]), \qquad U[t] = βU[t-1] + I_s[t] - R[t]θ,
        \qquad S[t] = (U[t] > θ), \qquad R[t] = (U[t-1] > θ)

    with ``α`` and ``β`` clamped to ``[0, 1]``; ``rec`` as in `RLeaky`, resets as in `Synaptic`.

    Args:
        alpha: Decay ``α`` of the synaptic current per step: a number, or a tensor that broadcasts
            against one step.
        beta: Decay ``β`` of the membrane, likewise.
        V, all_to_all, linear_features, conv2d_channels, kernel_size: The connection, see `RLeaky`.
        threshold, spike_grad, surrogate_disable, init_hidden, inhibition: See `Synaptic`.
        learn_alpha: Make ``alpha`` a parameter.
        learn_beta: Make ``beta`` a parameter.
        learn_threshold: Make ``threshold`` a parameter.
        learn_recurrent: Learn the connection.
        reset_mechanism, state_quant, reset_delay: See `Synaptic`.
        output: Return ``(spikes, syn, mem)`` also with ``init_hidden``.
        switches: As `RLeaky`.

    Shapes:
        As `RLeaky`, with one state more.

    Raises:
        TypeError: as `RLeaky`.
        ValueError: as `RLeaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.RSynaptic(alpha=0.5, beta=0.5, V=0.25, all_to_all=False)
        >>> spikes, syn, mem = neuron(torch.tensor([1.5]), *torch.zeros(3, 1))
        >>> neuron(torch.tensor([0.75]), spikes, syn, mem)[1:]
        (tensor([1.7500], grad_fn=...), tensor([1.5000], grad_fn=...))
    """

    NAME, PARAMETERS = Synaptic.NAME, Synaptic.PARAMETERS
    STATES = ("spk", "syn", "mem")
    equation = Synaptic.step

    syn: Tensor

    def __init__(
        self,
        alpha: float | Tensor,
        beta: float | Tensor,
        V: float | Tensor = 1.0,
        all_to_all: bool = True,
        linear_features: int | None = None,
        conv2d_channels: int | None = None,
        kernel_size: int | tuple[int, int] | None = None,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_alpha: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        learn_recurrent: bool = True,
        reset_mechanism: str = "subtract",
        state_quant: Callable[[Tensor], Tensor] | bool = False,
        output: bool = False,
        reset_delay: bool = True,
        **switches: Unpack[Switches],
    ) -> None:
        super().__init__(
            beta=beta,
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            init_hidden=init_hidden,
            inhibition=inhibition,
            learn_beta=learn_beta,
            learn_threshold=learn_threshold,
            reset_mechanism=reset_mechanism,
            state_quant=state_quant,
            output=output,
            reset_delay=reset_delay,
            **switches,
        )
        self._connect(
            V,
            all_to_all,
            linear_features=linear_features,
            conv2d_channels=conv2d_channels,
            kernel_size=kernel_size,
            learn_recurrent=learn_recurrent,
        )
        self._constant("alpha", alpha, learn_alpha)

    def forward(
        self,
        input_: Tensor,
        spk: Tensor | None = None,
        syn: Tensor | None = None,
        mem: Tensor | None = None,
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (spk, syn, mem))

    def init_rsynaptic(self) -> tuple[Tensor, Tensor, Tensor]:
        """Deprecated alias of :meth:`reset_mem`."""
        states: tuple[Tensor, Tensor, Tensor] = self.reset_mem()
        return states
