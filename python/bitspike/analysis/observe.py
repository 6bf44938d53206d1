"""What the modules of a network take and return in one run that leaves no trace in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from bitspike import utils
from bitspike.arguments import as_tensor, with_values
from bitspike.neurons import LI, AssociativeLeaky, StateLeaky
from bitspike.neurons.base import FIRING
from bitspike.neurons.base.recurrent import Recurrent
from bitspike.run.unroll import unroll
from bitspike.spikes.tensor import SpikeTensor

Run = Callable[[nn.Module, Tensor], Any]
"""How to run a network over a sequence."""

SYNAPSES = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Layers of weights, each of whose outputs is a weighted sum of inputs."""


NOTHING = torch.zeros(0, dtype=torch.float32, device="cpu")
"""The input of a module that is called without any."""


@dataclass
class Seen:
    """A module, and the first argument and first result of each of its calls."""

    name: str
    module: Any  # an nn.Module, whose attributes torch does not type
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    takes_sequences: bool = False

    @property
    def kind(self) -> str:
        """The name of its class."""
        return str(type(self.module).__name__)

    @property
    def is_neuron(self) -> bool:
        """Whether it is a layer of neurons."""
        return isinstance(self.module, FIRING)

    @property
    def fires(self) -> bool:
        """Whether what it returns are spikes."""
        module = self.module
        if isinstance(module, LI) or (isinstance(module, StateLeaky) and not module.output):
            return False
        reads_out = isinstance(module, AssociativeLeaky) and module.to_q is not None
        return self.is_neuron and not reads_out

    def record(self) -> Tensor:
        """Its outputs over all steps, ``[T, B, *]``, if it is a neuron."""
        join = torch.cat if self.takes_sequences else torch.stack
        return join([x.detach() for x in self.outputs])

    def fired(self) -> SpikeTensor:
        """Where its outputs over all steps are not zero, ``[T, B, *]``."""
        record = self.record()
        if isinstance(record, SpikeTensor):
            return exact(record)
        return SpikeTensor.from_dense(record != 0)


def exact(spikes: SpikeTensor) -> SpikeTensor:
    """The same spikes in float32, in which sums are not rounded."""
    spikes = spikes.channels_first()
    return SpikeTensor(spikes.words, spikes.features)


def sequence(x: Tensor) -> Tensor:
    """An input ``[T, B, *]`` with values.

    Raises:
        TypeError: if it is no dense tensor of real numbers, and nothing that becomes one.
        ValueError: if it is no sequence.
    """
    x = with_values(as_tensor(x, "x"), "x")
    if x.dim() < 2 or 0 in x.shape:
        raise ValueError(
            f"x must be a sequence [T, B, *] with one step and sample or more, not {tuple(x.shape)}"
        )
    return x


@contextmanager
def observed(net: nn.Module, x: Tensor) -> Iterator[list[Seen]]:
    """Within the context, runs of ``net`` start from rest and fill the list.

    It holds the neurons and the modules with parameters that were called, in the order in which
    their first calls ended; those inside a neuron only if they are layers of weights. Afterwards
    the attributes of all modules, buffers and the states of random number generators are those
    before.
    """
    cards = {t.device.index for t in (x, *net.parameters()) if t.is_cuda}
    before = [(module, dict(vars(module))) for module in net.modules()]
    copies: dict[int, Tensor] = {}
    order: list[Seen] = []
    try:
        with torch.random.fork_rng(sorted(cards)):
            for module in net.modules():
                # A run may write into buffers, such as those of a batch normalisation.
                vars(module)["_buffers"] = {
                    name: None if b is None else copies.setdefault(id(b), b.detach().clone())
                    for name, b in module._buffers.items()
                }
            utils.reset(net)
            for name, module in _watched(net):
                _watch(Seen(name or type(module).__name__, module), order)
            yield order
    finally:
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)


def run_once(net: nn.Module, x: Tensor, run: Run | None, seen: list[Seen]) -> Any:
    """What ``net`` returns for the sequence, run as its neurons want it.

    Raises:
        ValueError: if no neuron was called, or if ``net`` takes single steps.
    """
    if run is None:
        single = any(getattr(module, "multi_step", True) is False for module in net.modules())
        by_unroll = isinstance(net, nn.Sequential) or hasattr(net, "run_sequence")
        output = unroll(net, x) if single and by_unroll else net(x)
    else:
        output = run(net, x)
    neurons = [one for one in seen if one.is_neuron]
    if not neurons:
        raise ValueError(f"net must call neurons of bitspike, but {type(net).__name__} called none")
    for one in neurons:
        if len(x) > 1 and len(one.outputs) == 1 and not one.takes_sequences:
            raise ValueError(
                f"net gave all {len(x)} steps of x at once to {one.name} ({one.kind}), which takes "
                "one per call; pass run=lambda net, x: torch.stack([net(step) for step in x])"
            )
    return output


def _watched(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules whose calls are recorded, with their names."""
    modules = dict(net.named_modules())
    inside = {
        part: neuron
        for neuron in modules.values()
        if isinstance(neuron, FIRING)
        for part in neuron.modules()
        if part is not neuron
    }
    for name, module in modules.items():
        if module in inside:
            # A native kernel does not call the recurrent layer, whose input is the spikes anyway.
            watched = isinstance(module, SYNAPSES) and not isinstance(inside[module], Recurrent)
        elif any(True for _ in module.parameters(recurse=False)):
            watched = isinstance(module, FIRING) or not any(
                isinstance(part, FIRING) for part in module.modules()
            )
        else:
            watched = isinstance(module, (*SYNAPSES, *FIRING))
        if watched:
            yield name, module


def _watch(seen: Seen, order: list[Seen]) -> None:
    """Puts recording methods in front of those of a module."""
    module = seen.module
    entered = False

    def recording(method: Callable[..., Any], sequence: bool) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal entered
            if entered:  # one method calls the other
                return method(*args, **kwargs)
            entered = True
            try:
                result = method(*args, **kwargs)
            finally:
                entered = False
            if not seen.outputs:
                order.append(seen)
            seen.inputs.append(next(iter((*args, *kwargs.values())), NOTHING))
            seen.outputs.append(result[0] if isinstance(result, tuple) else result)
            seen.takes_sequences = sequence
            return result

        return call

    whole = not getattr(module, "STATES", ()) or bool(getattr(module, "multi_step", False))
    vars(module)["forward"] = recording(module.forward, whole)
    if hasattr(module, "run_sequence"):
        vars(module)["run_sequence"] = recording(module.run_sequence, True)
