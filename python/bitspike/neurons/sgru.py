"""The spiking GRU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bitspike.neurons.base.gated import GatedNeuron, cast
from bitspike.neurons.base.inhibition import KWTA
from bitspike.neurons.base.neuron import Result


class SGRU(GatedNeuron):
    r"""Spiking gated recurrent unit (GRU: Cho et al. 2014, in torch's form).

    .. math::
        r &= σ(W_{ir} x[t] + b_{ir} + W_{hr} mem[t-1] + b_{hr}) \\
        z &= σ(W_{iz} x[t] + b_{iz} + W_{hz} mem[t-1] + b_{hz}) \\
        n &= \tanh(W_{in} x[t] + b_{in} + r·(W_{hn} mem[t-1] + b_{hn})) \\
        mem[t] &= (1 - z)·n + z·mem[t-1] \\
        S[t] &= (mem[t] > θ)

    The membrane is the hidden state of the cell. snnTorch has no such neuron; arguments,
    resets and returned values are those of `SLSTM`, without ``syn``. Without a reset the membrane
    lies in ``(-1, 1)``, so a threshold of 1 never fires.

    Args:
        input_size: Features of the input.
        hidden_size: Neurons.
        bias: Whether the gates have biases.
        threshold: ``θ``: a number, or a tensor that broadcasts against ``[B, hidden_size]``.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        surrogate_disable: No gradient through spikes.
        init_hidden: Keep the state in the module; calls take and return none.
        inhibition: A `KWTA`; ``True`` warns and has no effect, as in `SLSTM`.
        learn_threshold: Make ``threshold`` a parameter.
        reset_mechanism: ``"none"``, ``"subtract"`` or ``"zero"``.
        state_quant: A function applied to the membrane after each update, or False.
        output: Return ``(spikes, mem)`` also with ``init_hidden``.
        multi_step: Take a whole sequence per call.

    Shapes:
        One step: input ``[B, input_size]``; spikes and ``mem`` ``[B, hidden_size]``. With
        ``multi_step=True``: input ``[T, B, input_size]``, initial membrane ``[B, hidden_size]``,
        results ``[T, B, hidden_size]``: what ``T`` single steps return, bit for bit.

    Dtypes:
        As `SLSTM`.

    Raises:
        ValueError: for an input of another shape, an unknown reset mechanism, a threshold that does
            not broadcast, and in a sequence for an initial membrane of another shape.
        TypeError: for a state beside ``init_hidden=True``, and for complex input.

    Example:
        >>> import torch, bitspike as snn
        >>> gru = snn.SGRU(3, 2, threshold=0.1, init_hidden=True)
        >>> gru(torch.rand(5, 3)).shape, gru.mem.shape
        (torch.Size([5, 2]), torch.Size([5, 2]))
    """

    STATES = ("mem",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool | KWTA = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "none",
        state_quant: Callable[[Tensor], Tensor] | bool = False,
        output: bool = False,
        *,
        multi_step: bool = False,
    ) -> None:
        """Draws the weights as ``nn.GRUCell`` does."""
        super().__init__(
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            init_hidden=init_hidden,
            inhibition=inhibition,
            learn_threshold=learn_threshold,
            reset_mechanism=reset_mechanism,
            state_quant=state_quant,
            output=output,
            multi_step=multi_step,
        )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self.gru_cell = nn.GRUCell(input_size, hidden_size, bias=bias)

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (mem,))

    def state_shapes(self, step: torch.Size) -> tuple[torch.Size, ...]:
        """The membrane is ``[B, hidden_size]``."""
        return (self._vector_shape(step, self.input_size, self.hidden_size),)

    def step(self, current: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch."""
        reset = self.mem_reset(mem)
        cell = self.gru_cell
        weights = cast([cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh], mem)
        spikes, mem = self._reset_and_fire(torch.gru_cell(current, mem, *weights), reset)
        return spikes, (mem,)

    def init_sgru(self) -> Tensor:
        """Alias of :meth:`reset_mem`, named like those of snnTorch's neurons."""
        mem: Tensor = self.reset_mem()
        return mem
