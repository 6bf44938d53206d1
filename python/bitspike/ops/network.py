"""Trained networks, step by step: allocation and the native calls.

A network file, and what its graph means, is described by ``rust/core/src/network/mod.rs``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from . import _native, buffer
from .spikes import words

Form = Literal["events", "words", "dense"]
"""How an input is given: indices of inputs that fire, rows of packed words, or numbers."""


class Value(NamedTuple):
    """What a network computes under a name."""

    shape: tuple[int, ...]
    """Without the batch."""
    is_spikes: bool
    """Bits, else numbers."""


DTYPES = {"F32": torch.float32, "I32": torch.int32, "I8": torch.int8, "U8": torch.uint8}
"""The dtypes of tensors in a file, as it names them."""
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def write(graph: str, tensors: Mapping[str, Tensor]) -> bytes:
    """A network file of the JSON of a graph and its tensors, of one of `DTYPES` each.

    Raises:
        ValueError: if a network cannot be read from it, with the reason.
    """
    described = []
    for name, x in tensors.items():
        numbers = x.detach().contiguous()
        if x.dtype == torch.int8:
            numbers = numbers.view(torch.uint8)
        described.append((name, _NAMES[x.dtype], list(x.shape), numbers))
    return _native.write_network(graph, described)


class Network:
    """A network file that has been read and checked.

    Raises:
        ValueError: for anything in it that is not as it must be.
    """

    def __init__(self, data: bytes) -> None:
        self._network = _native.Network(data)
        self.digest = self._network.digest
        self.dt = self._network.dt
        self.input = _value(self._network.input)
        self.outputs = tuple(self._network.outputs)

    def value(self, name: str) -> Value:
        """What lies under a name.

        Raises:
            KeyError: if nothing does.
        """
        return _value(self._network.value(name))

    def dtype(self, name: str) -> torch.dtype:
        """What a value is as a tensor: int32 if it is integers, else float32.

        Raises:
            KeyError: if nothing lies under the name.
        """
        return torch.int32 if self._network.is_integers(name) else torch.float32

    def memory(self, samples: int) -> int:
        """Bytes of the state of so many samples."""
        return self._network.memory(samples)

    def state(
        self, samples: int, names: Sequence[str] | None = None, *, packed: bool = False
    ) -> State:
        """A state, whose steps return the values of these names: by default the outputs."""
        return State(self, samples, self.outputs if names is None else tuple(names), packed)

    def native_state(self, samples: int, names: Sequence[str]) -> _native.NetworkState:
        """The native part of a `State`."""
        return self._network.state(samples, list(names))


def _value(described: tuple[list[int], bool]) -> Value:
    shape, is_spikes = described
    return Value(tuple(shape), is_spikes)


class State:
    """The state of a network for some samples; a step is one native call.

    Attributes:
        names: What `step` returns.
    """

    def __init__(
        self, network: Network, samples: int, names: tuple[str, ...], packed: bool
    ) -> None:
        self.names = names
        self._network = network
        self._native = network.native_state(samples, names)
        self._like = [self._empty(name, packed) for name in names]
        self._steps = {
            "events": self._native.step_events,
            "words": self._native.step_words,
            "dense": self._native.step_dense,
        }

    def _empty(self, name: str, packed: bool) -> Tensor:
        """Memory for a value."""
        samples, value = self._native.samples, self._network.value(name)
        if packed and value.is_spikes:
            neurons = torch.Size(value.shape).numel()
            return buffer.empty((samples, words(neurons)), torch.int64)
        return buffer.empty((samples, *value.shape), self._network.dtype(name))

    def step(self, x: Tensor, form: Form, out: Sequence[Tensor] | None = None) -> Sequence[Tensor]:
        """Runs one step, and returns a tensor ``[B, *shape]`` for each name.

        Args:
            x: int64 or int32 indices ``b·N + n`` in any order, int64 words ``[B, words(N)]``, or
                float32 numbers ``[B, *shape]``.
            form: Which of these.
            out: Where results go; by default new tensors. Spikes are float32 zeros and ones, or
                int64 words; integers are int32.

        Raises:
            TypeError: for another dtype.
            ValueError: for another length, or an index that is no input; then nothing has changed.
        """
        if out is None:
            # Twice as fast as to ask for the same sizes.
            out = [torch.empty_like(x) for x in self._like]
        self._steps[form](x, out)
        return out

    def read(self, name: str) -> Tensor:
        """The present value of a name, float32 or, of integers, int32 ``[B, *shape]``.

        Raises:
            KeyError: if there is none.
        """
        out = self._empty(name, packed=False)
        self._native.read(name, out)
        return out

    def counts(self, name: str) -> Tensor:
        """How often each neuron of an output has fired since the reset, float32 ``[B, *shape]``.

        Raises:
            KeyError: if it is no output of spikes.
        """
        out = self._empty(name, packed=False)
        self._native.counts(name, out)
        return out

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return self._native.samples

    @property
    def steps(self) -> int:
        """Steps since the reset."""
        return self._native.steps

    def reset(self) -> None:
        """As before the first step."""
        self._native.reset()

    def save(self) -> bytes:
        """All that the network keeps between steps, as a safetensors file."""
        return self._native.save()

    def restore(self, data: bytes) -> None:
        """Goes on from a saved state of the same network.

        Raises:
            ValueError: if it is none; then nothing has changed.
        """
        self._native.restore(data)
