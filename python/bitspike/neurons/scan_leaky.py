"""The leaky neuron as a scan that is repeated until its resets are right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bitspike.neurons.base.constants import may_be_read, spikes_are_bits
from bitspike.neurons.base.overridden import overridden_by
from bitspike.neurons.base.run import Run
from bitspike.ops import route
from bitspike.scan import linear_scan
from bitspike.spikes.dense import like_native

from .leaky import Leaky

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Options


class ScanLeaky(Leaky):
    r"""`Leaky` whose sequences are linear scans over time, with all of its resets.

    Between resets a leaky neuron is linear, and a guess ``s`` of all spikes gives all membranes in
    one scan, for the reset ``"subtract"``

    .. math::
        U^{(n+1)}[t] = βU^{(n+1)}[t-1] + I[t] - s^{(n)}[t-1]θ, \qquad
        s^{(n+1)}[t] = (U^{(n+1)}[t] > θ)

    and these a better guess. After ``n`` rounds the first ``n`` steps are final, because a step
    depends on earlier ones alone. So if two rounds agree, they are *the* solution, to which
    :attr:`rounds` counts: a few where spikes are rare, at most one more than there are steps.
    The first guess is that of a membrane without resets; with ``β = 1`` and ``0 ≤ I ≤ θ`` it is the
    solution itself, with the sum ``V`` of the inputs

    .. math::
        \sum_{r \le t} S[r] = \max(0, ⌈V[t]/θ⌉ - 1)

    (Fixed-point iteration of resets: Feng et al. 2025, arXiv:2506.12087.) A scan takes the
    threshold from the sum of decayed membrane and input, as `Leaky` does, in a step of its own
    between two steps. So every number is rounded as there, and spikes and membranes have the bits
    of `Leaky`. Gradients are those of `Leaky`, summed in another order.

    Each round is a pass over the sequence, and on a CPU `Leaky`, which passes once, is always much
    faster. This is for devices on which a scan takes less than a loop over time, and for finding
    out how many rounds that would be.
    Single steps, overridden methods, transforms of ``torch.func`` and compiled programs run as
    `Leaky` does.

    Args:
        beta: Decay ``β`` per step, clamped to ``[0, 1]``: a number, or a tensor that broadcasts
            against one step.
        learn_beta: Make ``beta`` a parameter.
        options: ``threshold``, ``reset_mechanism``, ``multi_step`` and the rest, see
            `SpikingNeuron`; without those that change what a reset depends on.

    Shapes:
        As `Leaky`.

    Raises:
        RuntimeError: if ``spike_grad`` fires by chance.
        ValueError: for ``reset_delay``, ``detach_reset``, ``inhibition``, ``state_quant``,
            ``order``, ``fire_at`` and ``spike_range`` other than their defaults, and as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.ScanLeaky(beta=0.5, multi_step=True)
        >>> x = torch.rand(100, 4, 8) * 0.7
        >>> neuron(x)[1].equal(snn.Leaky(beta=0.5, multi_step=True)(x)[1]), neuron.rounds < 50
        (True, True)
    """

    IMMEDIATE = False

    rounds: int = 0
    """How many rounds the last sequence took."""

    def __init__(
        self, beta: float | Tensor, *, learn_beta: bool = False, **options: Unpack[Options]
    ) -> None:
        offered = {
            "reset_delay": True,
            "detach_reset": True,
            "inhibition": False,
            "state_quant": False,
            "order": "integrate_first",
            "fire_at": "gt",
            "spike_range": (0, 1),
        }
        given: dict[str, Any] = dict(options)
        for name, value in offered.items():
            if given.get(name, value) != value:
                raise ValueError(f"ScanLeaky offers {name}={value!r} alone, not {given[name]!r}")
        super().__init__(beta, learn_beta=learn_beta, **options)

    def run(self, current: Tensor, initial: list[Tensor], *, sequence: bool, states: bool) -> Run:
        """See :meth:`SpikingNeuron.run`."""
        overridden = self._overridden or overridden_by(self)
        if not sequence or not len(current) or overridden or not _is_plain(current):
            return super().run(current, initial, sequence=sequence, states=states)
        self._numbers(current.shape[1:])  # They must broadcast.
        dtype = current.dtype
        if dtype in (torch.bfloat16, torch.float16):
            current = current.float()
        with torch.no_grad():
            resets = self._settled(current, initial[0])
        membrane = self._membrane(current, initial[0], resets)
        _, spikes = self._fired(membrane)
        spikes = spikes.to(dtype)
        if spikes_are_bits(self):
            spikes = like_native(spikes, sequence)
        return Run(spikes, (membrane,) if states else (), (membrane[-1],))

    def _settled(self, current: Tensor, mem: Tensor) -> Tensor:
        """The reset flags of all steps, which follow from the membranes that follow from them."""
        resets = self._guess(current, mem)
        for self.rounds in range(1, len(current) + 2):
            found = self._resets(self._membrane(current, mem, resets), mem)
            if found.equal(resets):
                return resets
            resets = found
        raise RuntimeError("spike_grad must fire alike whenever it is given the same membrane")

    def _guess(self, current: Tensor, mem: Tensor) -> Tensor:
        """What is likely to be near the reset flags of all steps."""
        (beta,), threshold = self.coefficients(), self.firing_threshold()
        subtracts = self.reset_mechanism in ("subtract", "subtract_beta")
        within = (current >= 0) & (current <= threshold) & (mem >= 0) & (mem <= threshold)
        if subtracts and bool((beta == 1).all() & (threshold > 0).all() & within.all()):
            total = mem + current.cumsum(0)
            count = ((total / threshold).ceil() - 1).clamp(min=0)
            before = count.new_zeros(1, *count.shape[1:])
            return torch.cat([before, count[:1], count[1:] - count[:-1]])[:-1]
        free = linear_scan(current, beta, mem)
        return self._resets(free, mem)

    def _resets(self, membrane: Tensor, mem: Tensor) -> Tensor:
        """The reset flag of each step: whether the membrane before it has fired."""
        return self.mem_reset(torch.cat([mem.unsqueeze(0), membrane[:-1]]))

    def _membrane(self, current: Tensor, mem: Tensor, resets: Tensor) -> Tensor:
        """The membranes of all steps for these reset flags."""
        (beta,), threshold = self.coefficients(), self.firing_threshold()
        if self.reset_mechanism == "zero":
            return linear_scan(current, beta * (1 - resets), mem)
        taken = self._reset_rule.subtract(torch.zeros_like(resets), resets, threshold, beta)
        pairs = torch.stack([current, taken], 1).flatten(0, 1)
        beta = beta.reshape(*(1,) * (mem.dim() - beta.dim()), *beta.shape)
        decays = torch.stack([beta, torch.ones_like(beta)]).repeat(len(current), *(1,) * mem.dim())
        return linear_scan(pairs, decays, mem)[1::2]


def _is_plain(current: Tensor) -> bool:
    """Whether Python may look at spikes to decide how many rounds there are."""
    watched = route.is_transformed() or route.is_exporting() or route.is_jit_traced()
    return may_be_read(current) and not watched
