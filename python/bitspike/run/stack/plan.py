"""Which modules run as one stack, and why others do not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Size, Tensor, nn

from bitspike import checkpoint
from bitspike.layers.dropout import TimeDropout
from bitspike.layers.folding import folded
from bitspike.neurons.base.constants import spikes_are_bits
from bitspike.neurons.base.inputs import states_before
from bitspike.neurons.base.neuron import SpikingNeuron
from bitspike.neurons.base.programs import floats
from bitspike.neurons.base.run import kind_of
from bitspike.neurons.base.saving import private
from bitspike.ops import pooling, route
from bitspike.ops.call import Call
from bitspike.ops.spikes import words
from bitspike.spikes.conv import described
from bitspike.spikes.pooling import packed_sizes
from bitspike.spikes.tensor import SpikeTensor, of_words

from ._forward import Stack
from ._function import run
from ._products import Conv, Linear, Product
from ._steps import Flatten, MaxPool, Neurons, Step

_PLAIN = (nn.Linear, nn.Conv1d, nn.Conv2d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, TimeDropout)


_CALLS = ("run_sequence", "_call", "_keep")
"""What a stack does in the place of a neuron."""


class Plan(NamedTuple):
    """The first modules of a network as a stack."""

    stack: Stack
    values: list[Any]
    """What its steps read beside spikes."""
    neurons: list[SpikingNeuron]
    """Whose states it leaves."""
    modules: int
    """How many modules it stands for."""


class _Refused(Exception):
    """Says why a module cannot be part of a stack."""


class _Planner:
    """Reads modules, one after another, for spikes of a known form."""

    def __init__(self, x: SpikeTensor) -> None:
        self.steps, self.samples = x.shape[:2]
        self.features, self.channels_last = x.features, x.channels_last
        self.found: list[Step] = []
        self.values: list[Any] = []
        self.neurons: list[SpikingNeuron] = []

    def take(self, modules: Sequence[nn.Module], fold: bool) -> int:
        """Takes the first of these modules, and what belongs to it; returns how many.

        Raises:
            _Refused: with the reason why it cannot.
        """
        module = modules[0]
        if route.has_hooks(module) or "forward" in vars(module):
            raise _Refused("it has hooks, or a forward of its own")
        if type(module) is nn.Identity or type(module) in _DROPOUTS and not module.training:
            return 1
        if type(module) is nn.MaxPool2d:
            self._pool(module)
        elif type(module) is nn.Flatten:
            self._flatten(module)
        elif type(module) in _PLAIN:
            return self._neurons(modules, fold)
        else:
            raise _Refused(f"{type(module).__name__} has no form that takes and gives bits")
        return 1

    def _pool(self, pool: nn.MaxPool2d) -> None:
        options = pool.padding, pool.dilation, pool.ceil_mode, pool.return_indices
        plain = options in ((0, 1, False, False), ((0, 0), (1, 1), False, False))
        sizes = packed_sizes(self._one_row(), pool.kernel_size, pool.stride) if plain else None
        if sizes is None:
            raise _Refused("pools of bits have windows without padding on maps [C, H, W]")
        self.found.append(MaxPool(sizes, self.channels_last))
        self.features = Size(pooling.pooled(sizes))

    def _flatten(self, flatten: nn.Flatten) -> None:
        if (flatten.start_dim, flatten.end_dim) != (1, -1):
            raise _Refused("only nn.Flatten() of all features keeps bits where they are")
        self.found.append(Flatten(self.features, self.channels_last))
        self.features, self.channels_last = Size((self.features.numel(),)), False

    def _neurons(self, modules: Sequence[Any], fold: bool) -> int:
        linear, *others = modules
        taken = 1
        weight, bias = linear.weight, linear.bias
        if others and type(others[0]) in _NORMS:
            if not fold:
                raise _Refused("a batch normalisation that follows is folded by fuse() alone")
            norm, *others = others
            weight, bias = folded(weight, bias, norm)
            taken = 2
        product = self._product(linear, weight)
        if not others or not isinstance(others[0], SpikingNeuron):
            raise _Refused("no neuron follows")
        neuron = others[0]
        self._add(product, neuron, weight, bias)
        return taken + 1

    def _product(self, linear: Any, weight: Tensor) -> Product:
        if not weight.is_cpu or weight.dtype is not torch.float32:
            raise _Refused(f"its weight is {weight.dtype} on {weight.device}")
        if type(linear) is nn.Linear:
            if self.features != (linear.in_features,):
                raise _Refused(f"it takes {linear.in_features} inputs, not {self.features}")
            return Linear(linear.in_features, linear.out_features)
        axes = weight.dim() - 2
        options = linear.stride, linear.padding, linear.dilation
        if isinstance(linear.padding, str) or linear.padding_mode != "zeros":
            raise _Refused(f"padding {linear.padding}, {linear.padding_mode} is no number of zeros")
        conv = described(self._one_row(), weight, options, linear.groups)
        if conv is None or len(self.features) != axes + 1:
            raise _Refused(f"its convolution does not fit spikes {tuple(self.features)}")
        return Conv(conv, axes, self.channels_last)

    def _add(self, product: Product, neuron: Any, weight: Tensor, bias: Tensor | None) -> None:
        shape = Size((self.samples, *product.features))
        numbers = floats(_numbers_of(neuron, shape, weight))
        current = weight.new_empty(1).expand(self.steps, *shape)
        call = Call(
            kind_of(neuron),
            sequence=True,
            states=False,
            constants=len(numbers),
            packed=True,
            channels_last=product.channels_last,
        )
        initial = floats(states_before(neuron, current, (None,) * len(neuron.STATES), True))
        _, *constants = private(call, current, numbers, -2)
        self.found.append(Neurons(product, call, len(initial)))
        self.values += [weight, bias, *constants, *initial]
        self.neurons.append(neuron)
        self.features, self.channels_last = product.features, product.channels_last

    def _one_row(self) -> SpikeTensor:
        """Spikes of the present form, of one silent sample."""
        silent = torch.zeros((1, words(self.features.numel())), dtype=torch.int64)
        return of_words(silent, self.features, channels_last=self.channels_last)


def _numbers_of(neuron: Any, shape: Size, weight: Tensor) -> list[Tensor]:
    """The numbers of a neuron's equation.

    Raises:
        _Refused: if the neuron cannot be part of a stack.
    """
    if route.has_hooks(neuron) or "forward" in vars(neuron):
        raise _Refused("its neuron has hooks, or a forward of its own")
    kind = type(neuron)
    calls = all(getattr(kind, name) is getattr(SpikingNeuron, name) for name in _CALLS)
    if not (neuron._is_usual and calls):
        raise _Refused(f"{kind.__name__} is not called as other neurons are")
    if not neuron.init_hidden or neuron.output:
        raise _Refused("its neuron returns states: init_hidden=True without output keeps them")
    if neuron.order != "integrate_first" or not spikes_are_bits(neuron):
        raise _Refused("its spikes are graded, or one step late")
    numbers: list[Tensor] = neuron._numbers(shape)
    reason = neuron._refusal(weight, numbers)
    if reason is not None:
        raise _Refused(reason)
    if any(x.dim() == len(shape) and x.shape[0] != 1 for x in numbers):
        raise _Refused("a number of its equation differs between samples")
    return numbers


def observed() -> str | None:
    """Why no stack runs at all, or None."""
    if route.is_observed():
        return "a tracer, a mode or a transform of torch.func is looking on"
    if torch.is_autocast_enabled("cpu"):
        return "autocast chooses the dtype of each product"
    return None


def plan(modules: Sequence[nn.Module], x: Any, fold: bool) -> Plan | str:
    """The first of these modules as one stack, or why they are none.

    Args:
        modules: Of a network, in their order.
        x: What enters the first of them.
        fold: Whether batch normalisations in eval mode are folded into weights.
    """
    reason = observed()
    if reason is not None:
        return reason
    if not isinstance(x, SpikeTensor) or x.is_transposed or x.rows != 2:
        return "its input is no packed sequence of spikes [T, B, *]"
    if x.dtype is not torch.float32:
        return f"its input is {x.dtype}"
    planner, taken = _Planner(x), 0
    reason = "there is no neuron"
    while taken < len(modules):
        try:
            taken += planner.take(modules[taken:], fold)
        except _Refused as refused:
            reason = str(refused)
            break
    if not planner.neurons:
        return reason
    stack = Stack(planner.found, planner.features, planner.channels_last)
    return Plan(stack, planner.values, planner.neurons, taken)


def run_plan(planned: Plan, x: SpikeTensor) -> tuple[Tensor, str | None]:
    """Runs a stack, whose neurons keep the states that it leaves.

    Returns:
        Its spikes, and why its layers ran one by one, if they did.
    """
    for neuron in planned.neurons:
        checkpoint.note(neuron)
    result = run(planned.stack, x, planned.values)
    rest = iter(result.states)
    for neuron in planned.neurons:
        last = tuple(islice(rest, len(neuron.STATES)))
        neuron._keep(None, last, detached=False)
    return result.spikes, result.apart
