"""The gated leaky neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bitspike.neurons.base.constants import held, logit, number
from bitspike.neurons.base.firing import Firing as Rule
from bitspike.neurons.base.fixed_steps import expect_steps, of_step
from bitspike.neurons.base.neuron import Result
from bitspike.neurons.base.packing import Packing
from bitspike.neurons.base.run import Run

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Firing


class GLIF(Packing):
    r"""Gated leaky integrate-and-fire neuron (GLIF; Yao et al., NeurIPS 2022).

    .. math::
        d &= 1 - a(1 - β), \qquad c_t' = 1 - b(1 - c_t), \qquad R[t] = (U[t-1] > θ) \\
        U[t] &= dU[t-1] - (1 - a)l + c_t'I[t] - R[t]\big(g\,dU[t-1] + (1 - g)v\big), \qquad
        S[t] = γ·(U[t] > θ)

    Three gates mix forms of the leaky neuron. ``a``: 1 decays with ``β``, 0 leaks by ``l`` in each
    step. ``b``: 1 weighs the input of step ``t`` by a conductance ``c_t`` of its own, 0 takes it as
    it is. ``g``: 1 erases the membrane of a neuron that has fired, 0 subtracts ``v``. With gates at
    0 and 1 it is `Leaky` or `IF` with the reset ``"zero"`` or ``"subtract"``.

    Since there is a conductance for each step, sequences have ``T`` steps. Single steps count
    theirs; after the last of ``T`` a new sequence begins at rest. Gates, decay and conductances are
    learned as their logits, ``w_alpha`` and so on; ``leak``, ``v_sub`` and ``threshold`` as they
    are. Runs in torch.

    Args:
        T: Steps of a sequence.
        channels: Size of the axis behind the batch, if each channel has numbers of its own, in
            ``[B, channels]`` as well as in ``[B, channels, H, W]``; None for one of each.
        alpha: ``a`` to begin with, from 0 to 1: a number, or one per channel.
        beta: ``b``, likewise.
        gamma: ``g``, likewise.
        decay: ``β``, likewise.
        conductance: ``c_t`` of all steps, likewise.
        leak: ``l``; by default ``θ/2T``.
        v_sub: ``v``; by default ``θ``.
        learn: Whether all these are parameters; ``learn_threshold`` is the same by default.
        options: ``threshold`` (0.5), ``multi_step`` and the rest, see `SpikingNeuron`; without
            those for resets.

    Shapes:
        Input ``[B, channels, *]`` at each step; the states are the number of steps so far, without
        axes, and the membrane.

    Raises:
        ValueError: for a sequence of another length, another number of channels, numbers of another
            shape or outside of 0 to 1, and ``T < 1``.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.GLIF(T=4, channels=3, init_hidden=True, multi_step=True)
        >>> neuron(torch.ones(4, 2, 3)).shape, neuron(torch.ones(4, 2, 3, 8, 8)).shape
        (torch.Size([4, 2, 3]), torch.Size([4, 2, 3, 8, 8]))
        >>> sum(p.numel() for p in neuron.parameters())  # 7 and T for each channel
        33
    """

    STATES = ("t", "mem")
    RESETS = ("none",)
    GATES = ("w_alpha", "w_beta", "w_gamma", "w_decay")
    """The logits of gates and decay."""

    w_conductance: Tensor
    t: Tensor
    mem: Tensor

    def __init__(
        self,
        T: int,
        channels: int | None = None,
        *,
        alpha: float | Tensor = 0.5,
        beta: float | Tensor = 0.5,
        gamma: float | Tensor = 0.5,
        decay: float | Tensor = 0.25,
        conductance: float | Tensor = 0.5,
        leak: float | Tensor | None = None,
        v_sub: float | Tensor | None = None,
        learn: bool = True,
        **options: Unpack[Firing],
    ) -> None:
        if T < 1:
            raise ValueError(f"T must be 1 or more, not {T}")
        threshold = _of_each("threshold", options.get("threshold", 0.5), channels)
        options["threshold"] = threshold
        options.setdefault("learn_threshold", learn)
        super().__init__(reset_mechanism=self.RESETS[0], **options)
        self.T, self.channels = T, channels
        gates = {"alpha": alpha, "beta": beta, "gamma": gamma, "decay": decay}
        for name, value in gates.items():
            gate = logit(_of_each(name, value, channels), name, closed=True)
            self._constant(f"w_{name}", gate, learn)
        leak = threshold.detach() / (2 * T) if leak is None else leak
        self._constant("leak", _of_each("leak", leak, channels), learn)
        v_sub = threshold.detach() if v_sub is None else v_sub
        self._constant("v_sub", _of_each("v_sub", v_sub, channels), learn)
        each = logit(_of_each("conductance", conductance, channels), "conductance", closed=True)
        self._constant("w_conductance", each.expand(T, *each.shape).clone(), learn)

    def extra_repr(self) -> str:
        """The length of a sequence and the number of channels."""
        return f"T={self.T}, channels={self.channels}"

    def coefficients(self) -> tuple[Tensor, ...]:
        """Gates and decay, then the numbers that they weigh, one for each channel."""
        gates = [torch.sigmoid(held(self, name)) for name in self.GATES]
        return (*gates, held(self, "leak"), held(self, "v_sub"))

    def state_shapes(self, step: torch.Size) -> tuple[torch.Size, ...]:
        """Of the number of steps, and of the membrane."""
        if self.channels is not None and (len(step) < 2 or step[1] != self.channels):
            raise ValueError(
                f"input_ must be [B, {self.channels}, *] at each step, because channels is "
                f"{self.channels}, not {tuple(step)}"
            )
        return torch.Size(()), step

    def forward(self, input_: Tensor, t: Tensor | None = None, mem: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (t, mem))

    def run(self, current: Tensor, initial: list[Tensor], *, sequence: bool, states: bool) -> Run:
        """See :meth:`SpikingNeuron.run`."""
        if sequence:
            expect_steps(self, current, self.T)
        return super().run(current, initial, sequence=sequence, states=states)

    def step(self, current: Tensor, t: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch."""
        over = t >= self.T
        t, mem = torch.where(over, 0, t), torch.where(over, 0, mem)
        alpha, beta, gamma, decay, leak, v_sub = [self._placed(x, mem) for x in self.coefficients()]
        conductance = self._placed(of_step(torch.sigmoid(self.w_conductance), t), mem)
        reset = self._reset_rule.once(self.mem_reset(mem))
        kept = (1 - alpha * (1 - decay)) * mem
        driven = (1 - beta * (1 - conductance)) * current
        mem = kept - (1 - alpha) * leak + driven - reset * (gamma * kept + (1 - gamma) * v_sub)
        mem = self._quantised(mem)
        _, spikes = self._fired(mem)
        return spikes, (t + 1, mem)

    def _numbers(self, shape: torch.Size) -> list[Tensor]:
        """The threshold and the graded factor, which are placed where the channels are."""
        return self._parts()

    def _spike(self, level: Tensor) -> Tensor:
        rule = Rule(self.spike_grad, self.fire_at, self.spike_range, self.inhibition)
        return rule.spikes(level, self._placed(self.firing_threshold(), level))

    def _placed(self, x: Tensor, mem: Tensor) -> Tensor:
        """Numbers of the channels, such that they broadcast against a membrane ``[B, C, *]``."""
        return x.reshape(*x.shape, *(1,) * (mem.dim() - 2)) if x.dim() else x


def _of_each(name: str, value: float | Tensor, channels: int | None) -> Tensor:
    """A number without axes, or one for each channel.

    Raises:
        ValueError: if there are others.
    """
    x = number(value, name)
    shape = () if channels is None else (channels,)
    if x.shape not in ((), shape):
        raise ValueError(f"{name} must be a number or {list(shape)}, not {tuple(x.shape)}")
    return x if x.shape == shape else x.expand(shape).clone()
