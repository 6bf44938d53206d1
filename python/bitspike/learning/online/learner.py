"""A network that learns while it runs: one step, or a block of steps, at a time."""

from __future__ import annotations

from typing import Any
from warnings import warn

import torch
from torch import Tensor, nn

from bitspike import utils
from bitspike.arguments import as_tensor, expect_one_device

from ._assembly import Assembly
from ._block import refusal_of_block, run_block
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
        self._batch: int | None = None
        others = self._assembly.others()
        if others and self.rule.trace != "none":
            warn(
                f"{self.rule.name} holds no traces of the parameters of {', '.join(others)}, which "
                "get the gradient of each step alone",
                UserWarning,
                stacklevel=2,
            )

    def __call__(self, x: Tensor) -> Any:
        """Takes one step.

        Args:
            x: ``[B, *]``, dense or a `SpikeTensor`.

        Returns:
            What the network returns.

        Raises:
            TypeError: if a neuron's current cannot be traced to a synapse.
            ValueError: for another number of samples than in the step before, and for a module
                that is called twice.
        """
        x = self._given(x)
        if x.dim() < 1:
            raise ValueError(f"x must be a step [B, *], not {tuple(x.shape)}")
        if not self.training:
            with torch.no_grad():
                return self.net(x)
        self._expect_batch(x.shape[0])
        with Watch(self._assembly).hooks():
            result = self.net(x)
        utils.detach(self.net)
        return result

    def block(self, x: Tensor, *, within: str = "rule") -> Any:
        """Takes some steps.

        A sequential network runs each layer over the whole block in one call; other networks, and
        rules that cannot, take the steps one by one.

        Args:
            x: ``[K, B, *]``, dense or a `SpikeTensor`.
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
        x = self._given(x)
        if x.dim() < 2 or not len(x):
            raise ValueError(f"x must be a block [K, B, *] of steps, not {tuple(x.shape)}")
        if within not in ("rule", "bptt"):
            raise ValueError(f"within must be 'rule' or 'bptt', not {within!r}")
        reason = refusal_of_block(self._assembly)
        if within == "bptt" and (reason or not self.rule.carries):
            reason = reason or "it drops what lies before a step"
            raise ValueError(
                f"{self.rule.name}: within='bptt' is not offered: {reason}; take within='rule'"
            )
        if reason or not self.training:
            return _stacked([self(step) for step in x])
        self._expect_batch(x.shape[1])
        return run_block(self._assembly, x, within)

    def reset(self) -> None:
        """As before the first step: neurons at rest, and no traces."""
        utils.reset(self.net)
        self._batch = None
        for layer in self._layers.values():
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
        states = {
            layer.name: [x.clone() for x in neuron._kept()]
            for neuron, layer in self._layers.items()
        }
        traces = {
            layer.name: [
                {name: [x.clone() for x in trace] for name, trace in mechanism.trace.items()}
                for mechanism in layer.mechanisms
            ]
            for layer in self._layers.values()
        }
        return {"rule": self.rule.name, "states": states, "traces": traces}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on, to the bit, where a learner was when its ``state_dict`` was taken.

        Raises:
            ValueError: if it is that of another rule or network; then nothing has changed.
        """
        names = {layer.name for layer in self._layers.values()}
        if state_dict["rule"] != self.rule.name or set(state_dict["states"]) != names:
            raise ValueError(
                f"the state dict is of {state_dict['rule']} and layers "
                f"{sorted(state_dict['states'])}, but this learner of {self.rule.name} and "
                f"{sorted(names)}"
            )
        self._batch = None
        for neuron, layer in self._layers.items():
            states = tuple(x.clone() for x in state_dict["states"][layer.name])
            neuron._keep(None, states, detached=False)
            layer.loaded = state_dict["traces"][layer.name]
            layer.restore()

    def _given(self, x: Any) -> Tensor:
        """The input of a call as a tensor."""
        if torch._C._functorch.peek_interpreter_stack() is not None:
            raise ValueError("x must not be of a transform of torch.func: a learner keeps traces")
        x = as_tensor(x, "x")
        expect_one_device(x, "x", self.net.named_parameters())
        return x

    def _expect_batch(self, samples: int) -> None:
        if self._batch not in (None, samples):
            raise ValueError(
                f"x has {samples} samples, but traces are of {self._batch}; call reset() first"
            )
        self._batch = samples


def _stacked(results: list[Any]) -> Any:
    """Results of single steps as one of a block."""
    if isinstance(results[0], tuple):
        return tuple(torch.stack([result[i] for result in results]) for i in range(len(results[0])))
    return torch.stack(results)
