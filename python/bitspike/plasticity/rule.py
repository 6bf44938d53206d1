"""What all rules of synapses share: to what they are attached, what they see, when they learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor, with_values

from .pairing import as_bits, rest
from .places import Rows, places
from .recording import Synapse, first, monitors, sequences

Rule = TypeVar("Rule", bound="SynapticRule")


class SynapticRule:
    """Base of the rules that change the weight of a synapse.

    A rule is attached to a synapse and the neuron behind it, and records both in every call of the
    network, as bits if they are packed and without their graphs. `step` learns from what was
    recorded since the last one. Traces go on from one `step` to the next: call `reset` before
    unrelated data. Nothing here is recorded by autograd.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> from bitspike import plasticity
        >>> fc, lif = nn.Linear(8, 4), snn.Leaky(beta=0.9, init_hidden=True, multi_step=True)
        >>> rule = plasticity.STDP(tau_pre=20.0, tau_post=20.0).attach(fc, lif)
        >>> with torch.no_grad():
        ...     spikes = lif(fc((torch.rand(25, 2, 8) < 0.3).float()))
        >>> rule.step(lr=0.01)  # the weights have changed, and are within [0, 1]
    """

    def __init__(self) -> None:
        self._synapse: Synapse | None = None
        self._monitors: tuple[Any, ...] = ()
        self._by_hand: list[tuple[Tensor, Tensor]] = []
        self._state: dict[str, Tensor] = {}

    @property
    def name(self) -> str:
        """What the rule is called in errors."""
        return type(self).__name__

    # What it is attached to

    def attach(self: Rule, synapse: Synapse, neuron: nn.Module | None = None) -> Rule:
        """Records what goes into ``synapse`` and what ``neuron`` returns, from now on.

        Args:
            synapse: ``nn.Linear``, ``nn.Conv1d`` or ``nn.Conv2d``, whose weight is to learn.
            neuron: The neuron behind it. Of what it returns, the first tensor counts: spikes. The
                synapse itself is a neuron without spikes. Without it nothing is recorded by itself:
                call `record`.

        Returns:
            The rule.

        Raises:
            TypeError: for another synapse, or a neuron that is no module.
            RuntimeError: if the rule is attached already.
        """
        if self._synapse is not None:
            raise RuntimeError(f"{self.name} is attached already: call detach() first")
        if not isinstance(synapse, nn.Linear | nn.Conv1d | nn.Conv2d):
            raise TypeError(
                f"{self.name}: synapse must be nn.Linear, nn.Conv1d or nn.Conv2d, not "
                f"{type(synapse).__name__}"
            )
        if not isinstance(synapse, nn.Linear) and synapse.groups != 1:
            raise TypeError(
                f"{self.name}: a convolution with groups={synapse.groups} is several synapses; "
                "attach a rule to one nn.Conv for each group"
            )
        if neuron is not None:
            if not isinstance(neuron, nn.Module):
                raise TypeError(
                    f"{self.name}: neuron must be a module that returns spikes, not "
                    f"{type(neuron).__name__}"
                )
            returns = partial(first, f"{self.name}: neuron must return spikes first")
            self._monitors = monitors(synapse, neuron, returns)
        self._synapse = synapse
        return self

    def detach(self) -> None:
        """Takes the hooks away, and forgets records and traces."""
        self.reset()
        for monitor in self._monitors:
            monitor.remove_hooks()
        self._synapse, self._monitors = None, ()

    @property
    def synapse(self) -> Synapse:
        """The synapse.

        Raises:
            RuntimeError: if the rule is not attached.
        """
        if self._synapse is None:
            raise RuntimeError(f"{self.name} has no synapse: call attach(synapse, neuron) first")
        return self._synapse

    # What it has seen

    def record(self, in_spike: Tensor, out_spike: Tensor) -> None:
        """Records a step or a sequence by hand, as if the modules had been called.

        Args:
            in_spike: What goes into the synapse.
            out_spike: What the neurons return.

        Shapes:
            A step ``[B, *]`` or a sequence ``[T, B, *]``, both the same.

        Raises:
            RuntimeError: if the rule records a neuron by itself.
        """
        if self._monitors:
            raise RuntimeError(f"{self.name} records its neuron already: attach(synapse) alone")
        pre, post = (
            with_values(as_tensor(x, name), name).detach()
            for x, name in ((in_spike, "in_spike"), (out_spike, "out_spike"))
        )
        self._by_hand.append((pre, post))

    def enable(self) -> None:
        """Records again."""
        for monitor in self._monitors:
            monitor.enable()

    def disable(self) -> None:
        """Stops recording."""
        for monitor in self._monitors:
            monitor.disable()

    def reset(self, batch: int | None = None) -> None:
        """Forgets records and traces.

        Args:
            batch: If given, what comes next has so many samples; otherwise it has any number.
        """
        self._forget_records()
        self._state = {}
        self._batch = batch

    _batch: int | None = None

    def _forget_records(self) -> None:
        self._by_hand.clear()
        for monitor in self._monitors:
            monitor.clear_recorded_data()

    def _recorded(self) -> Iterator[Rows]:
        axes = self.synapse.weight.dim()
        taken = [x for x, _ in self._by_hand]
        given = [y for _, y in self._by_hand]
        if self._monitors:
            taken, given = (monitor[""] for monitor in self._monitors)
        for pre, post in sequences(axes, taken, given, f"{self.name}: neuron"):
            self._check(pre, post)
            if isinstance(self.synapse, nn.Linear):
                yield Rows(as_bits(pre), as_bits(post), 1)
                continue
            yield from places(self.name, self.synapse, pre, post)

    def _check(self, pre: Tensor, post: Tensor) -> None:
        """Compares spikes of both sides with what the synapse takes and gives."""
        outputs, inputs = self.synapse.weight.shape[:2]
        rank = self.synapse.weight.dim() + 1
        fits = pre.dim() == post.dim() == rank and pre.shape[:2] == post.shape[:2]
        if not fits or pre.shape[2] != inputs or post.shape[2] != outputs:
            features = "" if rank == 3 else ", *"
            raise ValueError(
                f"{self.name}: in_spike must be [B, {inputs}{features}] and out_spike "
                f"[B, {outputs}{features}] at each step for this synapse; recorded were "
                f"{list(pre.shape[1:])} and {list(post.shape[1:])}"
            )
        if self._batch is not None and pre.shape[1] != self._batch:
            raise ValueError(
                f"{self.name} was reset for {self._batch} samples, and recorded {pre.shape[1]}: "
                "call reset(batch)"
            )

    # When it learns

    @torch.no_grad()
    def step(self, lr: float | None = None, *, on_grad: bool = False) -> None:
        """Learns from what was recorded since the last call, and forgets the records.

        In place, weights change at every recorded step, each from what the one before has left,
        and stay within their bounds. With ``on_grad`` they stay as they are, and the sum of what
        they would change by is subtracted from their gradient: an optimiser then adds it, and
        `clip` brings them back within their bounds.

        Args:
            lr: What changes are multiplied by; 1 if it is not given.
            on_grad: Change the gradient, and not the weights.

        Raises:
            RuntimeError: if the rule is not attached.
            ValueError: if the records do not fit, or ``lr`` is given to an optimiser's gradient.
        """
        self._step(lr, on_grad)

    def _step(self, lr: float | None, on_grad: bool) -> None:
        weight = self.synapse.weight
        if on_grad and lr is not None:
            raise ValueError(f"{self.name}: with on_grad=True the optimiser has the learning rate")
        wide = torch.float64 if weight.dtype == torch.float64 else torch.float32
        flat = weight.detach().flatten(1).to(wide)
        state = dict(self._state)
        if on_grad:
            change = torch.zeros_like(flat)
            for rows in self._recorded():
                change = self._changed(rows, flat, state, change)
            given = weight.grad
            change = change.view_as(weight).to(weight.dtype)
            weight.grad = -change if given is None else given - change
        else:
            flat = self._within(flat)
            for rows in self._recorded():
                flat = self._learned(rows, flat, state, 1.0 if lr is None else float(lr))
            weight.copy_(flat.view_as(weight))
        # All at once: what raises above leaves traces, records and weights as they are.
        self._state = state
        self._forget_records()

    def _learned(self, rows: Rows, weight: Tensor, state: dict[str, Tensor], lr: float) -> Tensor:
        """Weights ``[outputs, inputs]`` after a sequence; ``state`` goes on with it."""
        raise NotImplementedError

    def _changed(
        self, rows: Rows, weight: Tensor, state: dict[str, Tensor], change: Tensor
    ) -> Tensor:
        """A sum, with that by which weights that stay as they are would change, likewise."""
        raise NotImplementedError

    def _within(self, weight: Tensor) -> Tensor:
        """Weights within their bounds; a rule without bounds leaves them as they are."""
        return weight

    @torch.no_grad()
    def clip(self) -> None:
        """Brings the weights within their bounds."""
        weight = self.synapse.weight
        weight.copy_(self._within(weight))

    # What it remembers

    def _trace(self, state: dict[str, Tensor], key: str, spikes: Tensor, like: Tensor) -> Tensor:
        """A trace ``[R, N]`` before these spikes ``[T, R, N]``: that of the state, or 0.

        Raises:
            ValueError: if it belongs to other spikes.
        """
        shape = spikes.shape[1:]
        known = state.get(key)
        if known is None:
            return rest(shape, like)
        if known.shape != shape:
            raise ValueError(
                f"{self.name}: the traces belong to {list(known.shape)}, and now there are "
                f"{list(shape)}: call reset() in between"
            )
        return known.to(like)

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of the traces, by name; empty before the first step."""
        return {name: trace.clone() for name, trace in self._state.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from traces that `state_dict` has returned."""
        self._state = {
            name: with_values(as_tensor(trace, name), name).detach().clone()
            for name, trace in state.items()
        }
