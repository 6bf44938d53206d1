"""The layers of a network, found in one run, and hooks that are there while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bitspike.analysis.observe import SYNAPSES, Run, Seen, observed
from bitspike.neurons.base import FIRING

from ._inputs import model_input


class Layer(NamedTuple):
    """A layer of weights and the neurons behind it."""

    name: str
    synapse: Any  # an nn.Linear or a convolution, whose attributes torch does not type
    unit: nn.Module
    """What the layer returns: its neurons, or the layer of weights if there are none."""
    inputs: torch.Size
    """The shape of what the layer takes, of one sample at one step."""
    outputs: torch.Size
    """That of its current, likewise."""


def as_it_is(net: nn.Module, x: Tensor) -> Any:
    """A call of the network."""
    return net(x)


def feature_axes(synapse: nn.Module) -> int:
    """How many axes of its input and of its current belong to one sample at one step."""
    return 1 if isinstance(synapse, nn.Linear) else len(synapse.kernel_size) + 1  # type: ignore[arg-type]


def synapses_of(net: nn.Module) -> dict[str, nn.Module]:
    """The layers of weights outside of neurons, by name."""
    inside = {
        part for neuron in net.modules() if isinstance(neuron, FIRING) for part in neuron.modules()
    }
    return {
        name: module
        for name, module in net.named_modules()
        if isinstance(module, SYNAPSES) and module not in inside
    }


def layers_of(net: nn.Module, x: Tensor, run: Run, rule: str) -> tuple[Layer, ...]:
    """The layers in the order in which a run calls them; it leaves no trace.

    Raises:
        TypeError: if ``net`` is no module, or ``x`` no tensor.
        ValueError: if there is no layer of weights behind another one.
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be a module, not {type(net).__name__}")
    x = model_input(x)
    names = {module: name for name, module in synapses_of(net).items()}
    with observed(net, x) as seen, torch.no_grad():
        run(net, x)
    starts = [i for i, one in enumerate(seen) if one.module in names]
    if len(starts) < 2:
        raise ValueError(
            f"{rule} needs a network with a hidden layer, but {type(net).__name__} called "
            f"{len(starts)} layer(s) of weights: nn.Linear, nn.Conv1d, nn.Conv2d or nn.Conv3d"
        )
    ends = [*starts[1:], len(seen)]
    return tuple(
        _layer(names[seen[start].module], seen[start], seen[start + 1 : end])
        for start, end in zip(starts, ends, strict=True)
    )


def _layer(name: str, synapse: Seen, behind: Sequence[Seen]) -> Layer:
    neurons = [one.module for one in behind if one.is_neuron]
    axes = feature_axes(synapse.module)
    return Layer(
        name,
        synapse.module,
        neurons[-1] if neurons else synapse.module,
        synapse.inputs[0].shape[-axes:],
        synapse.outputs[0].shape[-axes:],
    )


Before = Callable[[int, Tensor], Tensor]
"""What replaces the input of a layer, given its place."""
After = Callable[[int, Tensor, Tensor], Tensor]
"""What replaces the current of a layer, given its place and the input that the layer took."""


@contextmanager
def hooked(
    synapses: Sequence[nn.Module], before: Before | None = None, after: After | None = None
) -> Iterator[None]:
    """Within the context, layers of weights take and return what these functions make of it."""
    handles = []
    try:
        for i, synapse in enumerate(synapses):
            if before is not None:

                def take(_: Any, args: Any, i: int = i, change: Before = before) -> Any:
                    return (change(i, args[0]), *args[1:])

                handles.append(synapse.register_forward_pre_hook(take))
            if after is not None:

                def give(_: Any, args: Any, y: Any, i: int = i, change: After = after) -> Any:
                    return change(i, args[0], y)

                handles.append(synapse.register_forward_hook(give))
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def units_of(layers: Sequence[Layer]) -> Iterator[list[list[Tensor]]]:
    """Within the context, what the units of layers return in each call is put into lists."""
    returned: list[list[Tensor]] = [[] for _ in layers]
    handles = []
    try:
        for layer, record in zip(layers, returned, strict=True):

            def note(_: Any, args: Any, result: Any, record: list[Tensor] = record) -> None:
                record.append(result[0] if isinstance(result, tuple) else result)

            handles.append(layer.unit.register_forward_hook(note))
        yield returned
    finally:
        for handle in handles:
            handle.remove()


def joined(calls: Sequence[Tensor]) -> Tensor:
    """What one call returned, or what the steps of a loop did, with time in front."""
    return calls[0] if len(calls) == 1 else torch.stack(tuple(calls))


def add_gradients(synapse: Any, x: Tensor, errors: Tensor) -> None:
    """Adds to the gradients of a layer of weights what these errors of its current make them."""
    parameters = [p for p in synapse.parameters() if p.requires_grad]
    if not parameters:
        return
    with torch.enable_grad():
        current = synapse(x)
    errors = errors.to(current.dtype).view(current.shape)
    gradients = torch.autograd.grad(current, parameters, errors)
    for p, gradient in zip(parameters, gradients, strict=True):
        p.grad = gradient if p.grad is None else p.grad + gradient


class OnNetwork(nn.Module):
    """A rule on the layers of a network: the network is a part of it, and stays as it is.

    Args:
        net: The network.
        x: An input as later ones, of one sample or more: it shows the layers and their shapes.
        run: How to run ``net``, for example `bitspike.unroll`; by default it is called.
    """

    layers: tuple[Layer, ...]
    """The layers, in the order of their calls."""

    def __init__(self, net: nn.Module, x: Tensor, run: Run | None) -> None:
        super().__init__()
        self._run: Run = as_it_is if run is None else run
        self.layers = layers_of(net, x, self._run, type(self).__name__)
        self.net = net

    @property
    def _synapses(self) -> list[nn.Module]:
        return [layer.synapse for layer in self.layers]


def cut(i: int, x: Tensor) -> Tensor:
    """The input of a layer, cut off from the layers below."""
    return x.detach() if i else x
