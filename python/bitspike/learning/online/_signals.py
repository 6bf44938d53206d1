"""Learning signals other than the gradient of the loss."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike.neurons.leaky_integrator import LI

from ._filtered import Filtered
from ._functions import Replaced, Told
from ._layer import Layer, Mechanism, Moment
from .rule import Rule


class Signals:
    """What the layers of a network know of its output and of the target.

    Args:
        rule: The rule.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.generator = torch.Generator("cpu").manual_seed(rule.seed)
        self.error: Tensor | None = None
        self.target: Tensor | None = None
        self.losses: dict[str, Tensor] = {}
        self.left: list[int] = []
        self.matrices: dict[str, Tensor] = {}
        if isinstance(rule.feedback, dict):
            self.matrices |= rule.feedback

    def begin(self, target: Tensor | None) -> None:
        """A step begins, with its target if there is one."""
        self.target, self.error, self.losses = target, None, {}
        if self.rule.signal == "target" and self.rule.rate is None or self.rule.signal == "local":
            self.expected()

    def draws_step(self) -> bool:
        """Whether the rule learns in this step."""
        if self.rule.steps is None:
            return True
        chosen, of = self.rule.steps
        if not self.left:
            self.left = torch.randperm(of, generator=self.generator, device="cpu").tolist()
        return self.left.pop() < chosen

    def draws_event(self) -> bool:
        """Whether this step is an event."""
        drawn = torch.rand((), generator=self.generator, device="cpu").item()
        return self.rule.rate is not None and drawn < self.rule.rate

    def state_dict(self) -> dict[str, Any]:
        """Matrices, and what is drawn next."""
        return {
            "generator": self.generator.get_state(),
            "left": list(self.left),
            "matrices": {name: x.detach().clone() for name, x in self.matrices.items()},
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on as the signals whose state this is would."""
        self.generator.set_state(state_dict["generator"])
        self.left = list(state_dict["left"])
        self.matrices = {name: x.clone() for name, x in state_dict["matrices"].items()}

    def tell(self, result: Any) -> Any:
        """The output of the network, whose gradient becomes the error."""
        if not torch.is_grad_enabled():
            return result
        parts = result if isinstance(result, tuple) else (result,)
        if self.rule.steps is not None:
            chosen, of = self.rule.steps
            parts = tuple(Replaced.apply(x, lambda grad: grad * (of / chosen)) for x in parts)
        elif self.rule.signal not in ("random", "target"):
            return result
        told = Told.apply(self._note, *parts)
        return told if isinstance(result, tuple) else told[0]

    def _note(self, error: Tensor) -> None:
        self.error = error.flatten(1)

    def expected(self) -> Tensor:
        """The target of this step."""
        if self.target is None:
            raise ValueError(
                f"{self.rule.name} learns from targets: call learner(x, target=y) with classes [B] "
                "or values [B, outputs]"
            )
        return self.target

    def adapt(self, layer: Layer, above: nn.Module) -> None:
        """Lets the matrix of a hidden layer learn as the weight of the synapse above it does.

        Raises:
            ValueError: if that synapse is no linear layer.
        """
        if self.rule.feedback != "adaptive":
            return
        if not isinstance(above, nn.Linear):
            raise ValueError(
                f"{self.rule.name}: feedback='adaptive' is for one hidden layer with an nn.Linear "
                f"above, but above {layer.name} stands a {type(above).__name__}"
            )
        outputs, neurons = above.weight.shape
        matrix = self.matrix(layer.name, outputs, neurons, above.weight.detach())
        self.matrices[layer.name] = matrix.clone().requires_grad_()
        above.weight.register_hook(partial(_adapt, weakref.ref(self), layer.name))

    def sent(self, layer: Layer, like: Tensor) -> Tensor:
        """What a hidden layer gets instead of a gradient, in the shape of its spikes."""
        assert self.error is not None
        signal = self.error
        if self.rule.signal == "target":
            signal = -of_classes(self.expected(), signal.shape[1]).to(signal)
        matrix = self.matrix(layer.name, signal.shape[1], like[0].numel(), like)
        return (signal @ matrix).view_as(like)

    def matrix(self, name: str, outputs: int, neurons: int, like: Tensor) -> Tensor:
        """``[outputs, neurons]``: one that was given, or is drawn at its first use."""
        if name not in self.matrices:
            drawn = torch.randn(outputs, neurons, generator=self.generator, device="cpu")
            self.matrices[name] = (drawn / outputs**0.5).to(like)
        found = self.matrices[name]
        if found.shape != (outputs, neurons):
            raise ValueError(
                f"{self.rule.name}: feedback[{name!r}] must be [outputs, neurons], here "
                f"({outputs}, {neurons}), not {tuple(found.shape)}"
            )
        return found.detach().to(like)


class Sent(Mechanism):
    """The signal of a hidden layer is sent from the output; the last layer's is its gradient.

    Args:
        layer: The layer.
        signals: Where it comes from.
    """

    def __init__(self, layer: Layer, signals: Signals) -> None:
        super().__init__(layer)
        self.signals = signals

    def leave(self, spikes: Tensor, moment: Moment) -> Tensor:
        if not torch.is_grad_enabled():
            return spikes
        replaced: Tensor = Replaced.apply(spikes, self._signal)
        return replaced

    def _signal(self, grad: Tensor) -> Tensor:
        return self.signals.sent(self.layer, grad) if self.layer.is_hidden else grad


class LocalReadout(Mechanism):
    """A fixed random readout of a layer, with a loss of its own.

    Args:
        layer: The layer.
        signals: Its losses.
    """

    def __init__(self, layer: Layer, signals: Signals) -> None:
        super().__init__(layer)
        self.signals = signals

    def leave(self, spikes: Tensor, moment: Moment) -> Tensor:
        rule, target = self.signals.rule, self.signals.expected()
        assert rule.outputs is not None
        flat = spikes.flatten(1)
        matrix = self.signals.matrix(self.layer.name, rule.outputs, flat.shape[1], flat.detach())
        criterion = rule.criterion or F.cross_entropy
        self.signals.losses[self.layer.name] = criterion(flat @ matrix.t(), target)
        return spikes


class RateCost(Mechanism):
    """Adds ``weight·(f_i - goal)`` to the signal, where ``f`` is the mean rate since the reset.

    Args:
        layer: The layer.
        weight: Of the cost.
        goal: The rate that costs nothing.
    """

    def __init__(self, layer: Layer, weight: float, goal: float) -> None:
        super().__init__(layer)
        self.weight = weight
        self.goal = goal

    def leave(self, spikes: Tensor, moment: Moment) -> Tensor:
        with torch.no_grad():
            now = spikes.detach().mean(0) * 1
            steps, total = self.trace.get("rates", [now.new_zeros(()), torch.zeros_like(now)])
            self.trace = {"rates": [steps + 1, total + now]}
            cost = self.weight * ((total + now) / (steps + 1) - self.goal)
        if not torch.is_grad_enabled():
            return spikes
        costly: Tensor = Replaced.apply(spikes, lambda grad: grad + cost)
        return costly


def signal_of(layer: Layer, signals: Signals) -> list[Mechanism]:
    """What gives a layer the signal of the rule."""
    rule, found = signals.rule, list[Mechanism]()
    if isinstance(layer.neuron, LI):
        return found
    if rule.rate_cost is not None:
        found.append(RateCost(layer, *rule.rate_cost))
    if rule.signal in ("random", "target"):
        found.append(Sent(layer, signals))
    if rule.signal == "local":
        found.append(LocalReadout(layer, signals))
    return found


def _adapt(signals: weakref.ref[Signals], name: str, grad: Tensor) -> None:
    """Adds the gradient of the weight above to that of a matrix."""
    owner = signals()
    if owner is not None:
        matrix = owner.matrices[name]
        matrix.grad = grad.clone() if matrix.grad is None else matrix.grad + grad


def without_graph(result: Any, learns: bool) -> Any:
    """A result of a step without its graph.

    Args:
        result: A tensor or several.
        learns: Whether ``backward`` of a loss of it is allowed, and does nothing.
    """
    if isinstance(result, tuple):
        return tuple(without_graph(x, learns) for x in result)
    return result.detach().requires_grad_(learns)


def pay_reward(layers: Iterable[Layer], reward: Tensor) -> None:
    """Adds minus the reward times each eligibility to the gradients of parameters."""
    with torch.no_grad():
        for layer in layers:
            for mechanism in layer.mechanisms:
                if not isinstance(mechanism, Filtered) or not mechanism.trace:
                    continue
                state = layer.neuron._kept()[-1]
                shape = (-1, *(1,) * (state.dim() - 1)) if reward.dim() else ()
                signal = -reward.to(state.dtype).reshape(shape).expand_as(state)
                found = mechanism.gradients(mechanism.trace, 1.0, [signal])
                for name, parameter in layer.parameters().items():
                    old = parameter.grad
                    parameter.grad = found[name] if old is None else old + found[name]


def of_classes(target: Tensor, outputs: int) -> Tensor:
    """Values ``[B, outputs]``; classes ``[B]`` become ones and zeros."""
    if target.dim() == 1 and not target.is_floating_point():
        return F.one_hot(target, outputs)
    return target.flatten(1)
