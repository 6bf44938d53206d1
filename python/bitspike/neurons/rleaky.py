"""The leaky neuron in a recurrent layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor

from bitspike.neurons.base.neuron import Result
from bitspike.neurons.base.recurrent import Recurrent

from .leaky import Leaky

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Switches


class RLeaky(Recurrent):
    r"""Recurrent layer of leaky integrate-and-fire neurons (Eshraghian et al. 2023).

    .. math::
        U[t] = βU[t-1] + I[t] + \mathrm{rec}(S[t-1]) - R[t]θ, \qquad S[t] = (U[t] > θ),
        \qquad R[t] = (U[t-1] > θ)

    with ``β`` clamped to ``[0, 1]``. ``rec`` is a dense or a convolutional layer, or one number
    ``V`` per neuron. ``reset_mechanism="zero"`` erases the membrane together with the present input
    (unlike that of `Leaky`), ``"subtract_beta"`` subtracts ``Rβθ``, ``"none"`` nothing. With
    ``reset_delay=False`` the membrane is reset within the step that fires. Gradients flow through
    the spikes that come back.

    Args:
        beta: Decay ``β`` per step: a number, or a tensor that broadcasts against one step.
        V: With ``all_to_all=False``, what a neuron's spike sends to itself: likewise.
        all_to_all: Whether a layer sends spikes to all neurons, or each neuron to itself.
        linear_features: Number of neurons of a dense connection, ``nn.Linear``.
        conv2d_channels: Number of channels of a convolutional one, ``nn.Conv2d``.
        kernel_size: Its kernel.
        threshold: ``θ``, as ``beta``.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        surrogate_disable: No gradient through spikes.
        init_hidden: Keep the states in the module; calls take and return no states.
        inhibition: Only the neuron furthest above threshold in each sample fires.
        learn_beta: Make ``beta`` a parameter.
        learn_threshold: Make ``threshold`` a parameter.
        learn_recurrent: Learn the connection.
        reset_mechanism: ``"subtract"``, ``"zero"``, ``"none"`` or ``"subtract_beta"``.
        state_quant: A function applied to the membrane after each update, or False.
        output: Return ``(spikes, membrane)`` also with ``init_hidden``.
        reset_delay: Reset one step after the spike.
        switches: ``multi_step=True`` takes a whole sequence per call; ``detach_reset``, ``fire_at``
            and ``spike_range`` are explained in `SpikingNeuron`.

    Shapes:
        One step: input ``[B, *]``, spikes and membrane the same; ``[B, N]`` for a dense connection,
        ``[B, C, H, W]`` for a convolutional one. With ``multi_step=True``: input ``[T, B, *]``,
        initial spikes and membrane ``[B, *]``, spikes (a `SpikeTensor` on the CPU) and membranes
        ``[T, B, *]``: what ``T`` single steps return.

        Whole sequences run in one native call if the connection is dense or one to one. It adds the
        weights of the spikes that come back in another order than torch's product in single steps,
        so a spike may fall to a neighbouring step unless sums are exact.

    Raises:
        TypeError: if the arguments describe no connection, or two; as `Leaky`.
        ValueError: as `Leaky`, for ``order="fire_first"``, and for input that does not fit the
            connection.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.RLeaky(beta=0.5, V=0.25, all_to_all=False)
        >>> spikes, mem = neuron(torch.tensor([1.5]), torch.zeros(1), torch.zeros(1))
        >>> neuron(torch.tensor([0.75]), spikes, mem)
        (tensor([0.], grad_fn=...), tensor([0.7500], grad_fn=...))
        >>> layer = snn.RLeaky(beta=0.9, linear_features=100, multi_step=True)
        >>> spikes, mem = layer(torch.rand(25, 4, 100))
        >>> spikes.shape, mem.shape
        (torch.Size([25, 4, 100]), torch.Size([25, 4, 100]))
    """

    NAME, PARAMETERS = Leaky.NAME, Leaky.PARAMETERS
    STATES = ("spk", "mem")
    equation = Leaky.step

    def __init__(
        self,
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

    def forward(
        self, input_: Tensor, spk: Tensor | None = None, mem: Tensor | None = None
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (spk, mem))

    def init_rleaky(self) -> tuple[Tensor, Tensor]:
        """Deprecated alias of :meth:`reset_mem`."""
        states: tuple[Tensor, Tensor] = self.reset_mem()
        return states
