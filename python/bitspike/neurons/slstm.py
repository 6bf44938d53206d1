"""The spiking LSTM."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bitspike.neurons.base.gated import GatedNeuron, cast
from bitspike.neurons.base.inhibition import KWTA
from bitspike.neurons.base.neuron import Result


class SLSTM(GatedNeuron):
    r"""Spiking long short-term memory (LSTM: Hochreiter & Schmidhuber 1997; snnTorch's form).

    .. math::
        i, f, g, o &= W_{ih} x[t] + b_{ih} + W_{hh} mem[t-1] + b_{hh} \\
        syn[t] &= σ(f)·syn[t-1] + σ(i)·\tanh(g) \\
        mem[t] &= σ(o)·\tanh(syn[t]) \\
        S[t] &= (mem[t] > θ)

    The membrane is the hidden state of the cell and ``syn`` its cell state. The membrane lies in
    ``(-1, 1)``, so a threshold of 1 never fires. With ``R = (mem[t-1] > θ)``, ``"subtract"`` takes
    ``Rθ`` off the new membrane and ``"zero"`` erases it where ``R`` is 1; ``syn`` is never reset.

    Args:
        input_size: Features of the input.
        hidden_size: Neurons.
        bias: Whether the gates have biases.
        threshold: ``θ``: a number, or a tensor that broadcasts against ``[B, hidden_size]``.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        surrogate_disable: No gradient through spikes.
        init_hidden: Keep the states in the module; calls take and return none.
        inhibition: A `KWTA`; ``True`` warns and has no effect, as in snnTorch.
        learn_threshold: Make ``threshold`` a parameter.
        reset_mechanism: ``"none"``, ``"subtract"`` or ``"zero"``.
        state_quant: A function applied to both states after each update, or False.
        output: Return ``(spikes, syn, mem)`` also with ``init_hidden``.
        multi_step: Take a whole sequence per call.

    Shapes:
        One step: input ``[B, input_size]``; spikes, ``syn`` and ``mem`` ``[B, hidden_size]``. With
        ``multi_step=True``: input ``[T, B, input_size]``, initial states ``[B, hidden_size]``, all
        results ``[T, B, hidden_size]``: what ``T`` single steps return, bit for bit.

    Dtypes:
        States and spikes follow the input; for bfloat16 and float16 the states and the arithmetic
        are float32. Weights are converted to the dtype of the states.

    Raises:
        ValueError: for an input of another shape, an unknown reset mechanism, a threshold that does
            not broadcast, and in a sequence for an initial state of another shape (a single step
            replaces it by zeros, as snnTorch does).
        TypeError: for a state beside ``init_hidden=True``, and for complex input.

    Example:
        >>> import torch, bitspike as snn
        >>> lstm = snn.SLSTM(3, 2, threshold=0.1)
        >>> spikes, syn, mem = lstm(torch.rand(5, 3))
        >>> spikes.shape, syn.shape, mem.shape
        (torch.Size([5, 2]), torch.Size([5, 2]), torch.Size([5, 2]))
        >>> snn.SLSTM(3, 2, multi_step=True)(torch.rand(7, 5, 3))[0].shape
        torch.Size([7, 5, 2])
    """

    STATES = ("syn", "mem")

    syn: Tensor

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
        """Draws the weights as ``nn.LSTMCell`` does."""
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
        self.lstm_cell = nn.LSTMCell(input_size, hidden_size, bias=bias)

    def forward(
        self, input_: Tensor, syn: Tensor | None = None, mem: Tensor | None = None
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (syn, mem))

    def state_shapes(self, step: torch.Size) -> tuple[torch.Size, ...]:
        """Both states are ``[B, hidden_size]``."""
        return (self._vector_shape(step, self.input_size, self.hidden_size),) * 2

    def step(self, current: Tensor, syn: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch."""
        reset = self.mem_reset(mem)
        cell = self.lstm_cell
        weights = cast([cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh], mem)
        mem, syn = torch.lstm_cell(current, (mem, syn), *weights)
        syn = self._quantised(syn)
        spikes, mem = self._reset_and_fire(mem, reset)
        return spikes, (syn, mem)

    def init_slstm(self) -> tuple[Tensor, Tensor]:
        """Deprecated alias of :meth:`reset_mem`."""
        states: tuple[Tensor, Tensor] = self.reset_mem()
        return states
