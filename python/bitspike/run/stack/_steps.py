"""The steps of a stack: each turns bits into bits, for some samples over all time.

Spikes are words ``[T, B, words(N)]`` of rows without gaps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from torch import Size, Tensor
from torch.nn import functional as F

from bitspike.neurons.base.layer import run_layer
from bitspike.ops import pooling, sequence, spikes
from bitspike.ops.call import Call, Errors, Inputs, Need, OutputGradients
from bitspike.ops.stack import LinearLayer

from ._products import Arrived, Linear, Product


class Upstream(NamedTuple):
    """Gradients of what a step returned, float32, of any strides; None is 0."""

    spikes: Tensor | None
    last: Sequence[Tensor | None]
    """Per state, of its value after the last step."""
    share: float = 1.0
    """Of the gradients of spikes, at most so many are not 0."""


class Gradients(NamedTuple):
    """Gradients of what a step read; None is 0, or not wanted."""

    spikes: Tensor | None
    values: Sequence[Tensor | None]
    share: float = 1.0
    """Of the gradients of spikes, at most so many are not 0."""


class Step(Protocol):
    """What turns bits into bits."""

    values: int
    """How many tensors it reads beside spikes."""
    states: int
    """How many of them, the last ones, are initial states ``[B, *]``."""
    footprint: tuple[int, int]
    """Numbers of a row of spikes that it keeps while it runs, and rows of its weights."""

    def forward(self, words: Tensor, values: Sequence[Any]) -> tuple[Tensor, list[Tensor]]:
        """The words that it gives, and its states after the last step."""

    def backward(
        self, words: Tensor, values: Sequence[Any], grads: Upstream, need: Sequence[bool]
    ) -> Gradients:
        """The gradients of the spikes and values that it read, where needed."""

    def prefers_dense(self, words: Tensor, values: Sequence[Any]) -> bool:
        """Whether its ordinary layer would multiply these spikes as floats, with other bits."""

    def apart(self, x: Tensor, values: Sequence[Any]) -> tuple[Tensor, ...]:
        """The same by ordinary layers, which autograd records: spikes, then states."""

    def linear(self, values: Sequence[Any]) -> LinearLayer | None:
        """The step as the native module runs several in one call, or None if it does not."""


class _Stateless:
    """A step that reads spikes alone."""

    values = states = 0

    def prefers_dense(self, words: Tensor, values: Sequence[Any]) -> bool:
        return False

    def linear(self, values: Sequence[Any]) -> LinearLayer | None:
        return None


class MaxPool(_Stateless):
    """``nn.MaxPool2d`` of maps."""

    def __init__(self, sizes: pooling.Sizes, channels_last: bool) -> None:
        """Describes maps, and the order in which they lie."""
        self.sizes, self.channels_last = sizes, channels_last
        self.footprint = Size(sizes.maps).numel(), 0

    def forward(self, words: Tensor, values: Sequence[Any]) -> tuple[Tensor, list[Tensor]]:
        return pooling.max_pool(words, self.sizes, self.channels_last), []

    def backward(
        self, words: Tensor, values: Sequence[Any], grads: Upstream, need: Sequence[bool]
    ) -> Gradients:
        if not need[0] or grads.spikes is None:
            return Gradients(None, ())
        grad = pooling.max_pool_gradient(words, self.sizes, self.channels_last, grads.spikes)
        # Each maximum sends its gradient to one neuron.
        maxima, neurons = (math.prod(x) for x in (pooling.pooled(self.sizes), self.sizes.maps))
        return Gradients(grad, (), grads.share * maxima / neurons)

    def apart(self, x: Tensor, values: Sequence[Any]) -> tuple[Tensor, ...]:
        return (F.max_pool2d(x, self.sizes.window, self.sizes.stride),)


class Flatten(_Stateless):
    """``nn.Flatten``: maps as rows of neurons, in the order of channels."""

    def __init__(self, maps: Size, channels_last: bool) -> None:
        """Describes maps, and the order in which they lie."""
        self.maps, self.channels_last = maps, channels_last
        self.footprint = 0, 0

    def forward(self, words: Tensor, values: Sequence[Any]) -> tuple[Tensor, list[Tensor]]:
        channels, *size = self.maps
        if not self.channels_last:
            return words, []
        return spikes.swap_axes(words, Size(size).numel(), channels), []

    def backward(
        self, words: Tensor, values: Sequence[Any], grads: Upstream, need: Sequence[bool]
    ) -> Gradients:
        grad = grads.spikes
        return Gradients(None if grad is None else grad.unflatten(-1, self.maps), (), grads.share)

    def apart(self, x: Tensor, values: Sequence[Any]) -> tuple[Tensor, ...]:
        return (x.flatten(-len(self.maps)),)


class Neurons:
    """A product and the neurons that its currents drive."""

    def __init__(self, product: Product, call: Call, states: int) -> None:
        """Names what runs; the call is that of a sequence whose spikes are packed."""
        self.product, self.call, self.states = product, call, states
        self.values = 2 + call.constants + states
        self.footprint = product.features.numel(), product.inputs

    def _inputs(self, words: Tensor, values: Sequence[Any]) -> Inputs:
        weight, bias, *others = map(_detached, values)
        count = self.call.constants
        current = self.product.currents(words, weight, bias)
        return Inputs(current, others[:count], others[count:])

    def linear(self, values: Sequence[Any]) -> LinearLayer | None:
        if not isinstance(self.product, Linear):
            return None
        weight, bias, *others = map(_detached, values)
        count = self.call.constants
        return LinearLayer(weight, bias, self.call, others[:count], others[count:])

    def forward(self, words: Tensor, values: Sequence[Any]) -> tuple[Tensor, list[Tensor]]:
        fired, *last = sequence.forward.kernel(self.call, self._inputs(words, values))
        return fired, last

    def backward(
        self, words: Tensor, values: Sequence[Any], grads: Upstream, need: Sequence[bool]
    ) -> Gradients:
        to_input, to_weight, to_bias, *others = need
        count = self.call.constants
        wanted = Need(
            current=to_input or to_weight or to_bias,
            initial=any(others[count:]),
            constants=any(others[:count]),
        )
        weight = values[0].detach()
        reads = self.product.reads_errors
        listed = to_input and reads(words, weight, 0.0)
        few = listed and reads(words, weight, grads.share)
        inputs = self._inputs(words, values)
        (delta, *rest), errors = self._adjoint(inputs, grads, wanted, listed, few)
        states, constants = rest[: self.states], rest[self.states :]
        if delta is None:
            return Gradients(None, (None, None, *constants, *states))
        of_product = self.product.gradients(words, Arrived(delta, errors), weight, need[:3])
        return Gradients(of_product[0], (*of_product[1:], *constants, *states))

    def _adjoint(
        self, inputs: Inputs, grads: Upstream, wanted: Need, listed: bool, few: bool
    ) -> tuple[list[Tensor | None], Errors | None]:
        """The gradients of what the neurons read, and the errors, listed if that may pay.

        It may if the surrogate is compact, or few spikes have a gradient.
        """
        last = list(grads.last)
        outputs = OutputGradients(grads.spikes, [None] * len(last), last)
        if listed:
            return sequence.backward_with_errors(self.call, inputs, outputs, wanted, few=few)
        return sequence.backward.kernel(self.call, inputs, outputs, wanted), None

    def prefers_dense(self, words: Tensor, values: Sequence[Any]) -> bool:
        return self.product.prefers_dense(words, values[0].detach())

    def apart(self, x: Tensor, values: Sequence[Any]) -> tuple[Tensor, ...]:
        weight, bias, *others = values
        current = self.product.apart(x, weight, bias)
        plain = self.call._replace(channels_last=False)
        return run_layer(plain, [current, *others])


def _detached(x: Any) -> Any:
    return x.detach() if isinstance(x, Tensor) else x
