"""A network that learns while it runs: one step, or a block of steps, at a time."""

from __future__ import annotations

from typing import Any
from warnings import warn

import torch
from torch import Tensor, nn

from bitspike import utils

from ._assembly import Assembly
from ._block import refusal_of_block, run_block, stacked
from ._given import for_samples, given
from ._kept import restore, state_of
from ._signals import of_classes, pay_reward, without_graph
from ._watch import Watch
from .presets import preset
from .rule import Rule


class Learner:
    r"""Calls a network step by step, with the gradient of an online rule.

    ``loss.backward()`` adds the rule's gradient to ``.grad`` of the network's own parameters, as
    backpropagation through time would; but the graph is that of one step, or one block, and what
    the past contributes comes from traces that are carried forward. Memory does not depend on the
    number of steps. Results are those of the network.

    Args:
        net: Any module whose neurons keep their state (``init_hidden=True``). A neuron's current
            must be what one ``nn.Linear``, ``nn.Conv1d`` or ``nn.Conv2d`` returns, or not depend on
            one; other modules stand in front of those.
        rule: A `Rule`, what a preset returns, or the name of a preset in lower case.
        max_trace_bytes: A trace of a layer that takes more is warned of.

    Raises:
        TypeError: if there are no neurons, or one has no trace form.
        ValueError: for neurons that do not keep their state from step to step, and for the name of
            no preset.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> from bitspike.learning import online
        >>> net = nn.Sequential(nn.Linear(4, 3), snn.Leaky(0.9, init_hidden=True))
        >>> learner = online.Learner(net, online.RTRL())
        >>> for x in torch.rand(10, 2, 4):
        ...     learner(x).sum().backward()
        >>> net[0].weight.grad.shape
        torch.Size([3, 4])
    """

    def __init__(self, net: nn.Module, rule: Rule | str, *, max_trace_bytes: int = 1 << 30) -> None:
        self.net = net
        self.rule = preset(rule) if isinstance(rule, str) else rule
        self.max_trace_bytes = max_trace_bytes
        self.training = True
        self._assembly = Assembly(net, self.rule)
        self._layers = self._assembly.layers
        self._signals = self._assembly.signals
        self._steps_alone = refusal_of_block(self._assembly)
        self._last: Any = None
        self._sizes_are_known = False
        self._batch: int | None = None
        others = self._assembly.others()
        if others and self.rule.trace != "none":
            warn(
                f"{self.rule.name} holds no traces of the parameters of {', '.join(others)}, which "
                "get the gradient of each step alone",
                UserWarning,
                stacklevel=2,
            )

    def __call__(self, x: Tensor, target: Tensor | None = None) -> Any:
        """Takes one step.

        Args:
            x: ``[B, *]``, dense or a `SpikeTensor`.
            target: Classes ``[B]`` or values ``[B, outputs]``, for rules that learn from them.

        Returns:
            What the network returns. For ``"reward"`` and for rules of events it has no graph.

        Raises:
            TypeError: if a neuron's current cannot be traced to a synapse.
            ValueError: for another number of samples than in the step before, for a module that is
                called twice, and for a rule that needs a target without one.
        """
        x = given(x, "x", self.net)
        if x.dim() < 1:
            raise ValueError(f"x must be a step [B, *], not {tuple(x.shape)}")
        if not self.training:
            with torch.no_grad():
                return self.net(x)
        self._expect_batch(x.shape[0])
        signals, rule = self._signals, self.rule
        signals.begin(None if target is None else self._target(target))
        if rule.signal == "reward" or not signals.draws_step():
            with torch.no_grad():
                return without_graph(self._step(x), rule.signal != "reward")
        result = signals.tell(self._step(x))
        self._last = result
        if rule.rate is None:
            return result
        if target is not None and signals.draws_event():
            self.event(target)
        return without_graph(result, False)

    def _step(self, x: Tensor) -> Any:
        with Watch(self._assembly).hooks():
            result = self.net(x)
        utils.detach(self.net)
        self._look_at_sizes()
        return result

    def _look_at_sizes(self) -> None:
        """Warns once of layers whose traces are large."""
        if self._sizes_are_known:
            return
        self._sizes_are_known = True
        for layer in self._layers.values():
            size = layer.trace_bytes()
            if size > self.max_trace_bytes:
                warn(
                    f"{self.rule.name}: the traces of {layer.name} take {size:,} bytes, more than "
                    f"max_trace_bytes={self.max_trace_bytes:,}; online.OTTT() keeps a filtered "
                    "input for each sample",
                    UserWarning,
                    stacklevel=4,
                )

    def step(self, x: Tensor, target: Tensor | None = None) -> Any:
        """Takes one step, by which `learn` can be called: the first half of two.

        Args:
            x: As for a call.
            target: Likewise.

        Returns:
            What the network returns, without a graph.

        Raises:
            TypeError: as for a call.
            ValueError: likewise.
        """
        return without_graph(self(x, target), False)

    def learn(self, error: Tensor) -> None:
        """Adds the gradient of the last step, for an error of its output.

        Args:
            error: The derivative of the loss by the output, or by the first of several.

        Raises:
            ValueError: if there is no step to learn from, or for an error of another shape.
        """
        last = self._last[0] if isinstance(self._last, tuple) else self._last
        if last is None or not last.requires_grad:
            raise ValueError(f"{self.rule.name}: there is no step to learn from; call step(x)")
        error = given(error, "error", self.net)
        if error.shape != last.shape:
            raise ValueError(
                f"error must have the shape of the output, {tuple(last.shape)}, not "
                f"{tuple(error.shape)}"
            )
        self._last = None
        last.backward(error.to(last.dtype))

    def event(self, target: Tensor) -> None:
        """Learns from the last step: the output from its distance to a target, others from it.

        Args:
            target: Classes ``[B]`` or values ``[B, outputs]``.

        Raises:
            ValueError: if there is no step to learn from, or the rule's signal is not ``"target"``.
        """
        if self.rule.signal != "target":
            raise ValueError(
                f"{self.rule.name} does not learn from events; call backward of a loss"
            )
        self._signals.target = self._target(target)
        last = self._last[0] if isinstance(self._last, tuple) else self._last
        if last is None:
            raise ValueError(f"{self.rule.name}: there is no step to learn from; call step(x)")
        wanted = of_classes(self._signals.target, last[0].numel()).view_as(last)
        self.learn(last.detach() - wanted)

    def reward(self, reward: float | Tensor) -> None:
        """Adds minus the reward times the eligibility of each synapse to the gradients.

        Args:
            reward: A number, or one for each sample ``[B]``.

        Raises:
            ValueError: if the rule's signal is not ``"reward"``.
        """
        if self.rule.signal != "reward":
            raise ValueError(f"{self.rule.name} takes no reward: its signal is {self.rule.signal}")
        paid = given(reward, "reward", self.net)
        if paid.dim():
            for_samples(paid, "reward", self._batch)
        pay_reward(self._layers.values(), paid)

    @property
    def losses(self) -> dict[str, Tensor]:
        """The losses of the readouts of the last step or block, by layer, for ``"local"``."""
        return self._signals.losses

    @property
    def loss(self) -> Tensor:
        """Their sum.

        Raises:
            ValueError: if there is none.
        """
        if not self.losses:
            raise ValueError(f"{self.rule.name} has no losses of its own, or has taken no step")
        total: Tensor = torch.stack(list(self.losses.values())).sum()
        return total

    @property
    def feedback(self) -> dict[str, Tensor]:
        """The matrices of feedback, or the readouts, by layer; drawn in the first step."""
        return self._signals.matrices

    def block(self, x: Tensor, target: Tensor | None = None, *, within: str = "rule") -> Any:
        """Takes some steps.

        A sequential network runs each layer over the whole block in one call; other networks, and
        rules that cannot, take the steps one by one.

        Args:
            x: ``[K, B, *]``, dense or a `SpikeTensor`.
            target: As for a step; the same for all of them.
            within: ``"rule"`` gives the gradients of single steps; with ``"bptt"`` errors flow
                through the steps of the block in all layers, and carried influence adds what lies
                before it. For rules that carry influence.

        Returns:
            What the network returns, ``[K, B, *]``.

        Raises:
            ValueError: if ``x`` has no time axis or no steps, for another ``within``, and as for a
                step.
            TypeError: as for a step.
        """
        x = given(x, "x", self.net)
        if x.dim() < 2 or not len(x):
            raise ValueError(f"x must be a block [K, B, *] of steps, not {tuple(x.shape)}")
        if within not in ("rule", "bptt"):
            raise ValueError(f"within must be 'rule' or 'bptt', not {within!r}")
        reason = self._steps_alone
        if within == "bptt" and (reason or not self.rule.carries):
            reason = reason or "it drops what lies before a step"
            raise ValueError(
                f"{self.rule.name}: within='bptt' is not offered: {reason}; take within='rule'"
            )
        if reason or not self.training:
            return self._one_by_one(x, target)
        self._expect_batch(x.shape[1])
        result = run_block(self._assembly, x, within)
        self._look_at_sizes()
        return result

    def _one_by_one(self, x: Tensor, target: Tensor | None) -> Any:
        """The steps of a block, whose losses are sums over them."""
        results, losses = [], dict[str, Tensor]()
        for step in x:
            results.append(self(step, target))
            losses = {name: losses.get(name, 0) + loss for name, loss in self.losses.items()}
        if self.training:
            self._signals.losses = losses
        return stacked(results)

    def reset(self) -> None:
        """As before the first step: neurons at rest, and no traces."""
        utils.reset(self.net)
        self._batch, self._last = None, None
        for layer in self._layers.values():
            layer.loaded = []
            for mechanism in layer.mechanisms:
                mechanism.trace = {}

    def train(self, mode: bool = True) -> Learner:
        """Whether traces go on with the steps; with False it runs the network without a graph."""
        self.training = mode
        self.net.train(mode)
        return self

    def eval(self) -> Learner:
        """``train(False)``."""
        return self.train(False)

    def state_dict(self) -> dict[str, Any]:
        """All that is kept between steps, beside the network's own ``state_dict``."""
        return state_of(self._assembly)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on, to the bit, where a learner was when its ``state_dict`` was taken.

        Raises:
            ValueError: if it is that of another rule or network; then nothing has changed.
        """
        restore(self._assembly, state_dict)
        self._batch, self._last = None, None

    def _target(self, target: Any) -> Tensor:
        return for_samples(given(target, "target", self.net), "target", self._batch)

    def _expect_batch(self, samples: int) -> None:
        if self._batch not in (None, samples):
            raise ValueError(
                f"x has {samples} samples, but traces are of {self._batch}; call reset() first"
            )
        self._batch = samples
