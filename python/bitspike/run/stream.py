"""Inference step by step, each step of the whole network in one native call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from bitspike.decode import Decision, EarlyExit
from bitspike.exchange.network_file import Kind, network_bytes
from bitspike.ops.network import Network
from bitspike.spikes.tensor import SpikeTensor


class Stream:
    """A network at work on some samples; see `stream`.

    Attributes:
        names: The values that a call returns.
    """

    def __init__(self, network: Network, batch: int, names: Sequence[str] | None) -> None:
        self.network = network
        self._state = network.state(batch, names)
        self.names = self._state.names

    def __call__(self, x: Tensor, out: Sequence[Tensor] | None = None) -> Any:
        """Takes one step.

        Args:
            x: float32 ``[B, *]``; a `SpikeTensor` of that shape; or int64 or int32 indices of the
                inputs that fire, in any order, counted through all samples.
            out: Tensors for the results; by default new ones.

        Returns:
            The values of ``names``, float32 ``[B, *]``, of integers int32: a tensor, or a tuple of
            several.

        Raises:
            TypeError: for another dtype.
            ValueError: for another size, or an index that is no input; then nothing has changed.
        """
        if isinstance(x, SpikeTensor):
            results = self._state.step(x.channels_first().saved_words(), "words", out)
        elif x.dtype.is_floating_point:
            results = self._state.step(x, "dense", out)
        else:
            results = self._state.step(x, "events", out)
        return results[0] if len(results) == 1 else tuple(results)

    def decide(self, steps: Iterable[Tensor], margin: float | None = None) -> Decision:
        """Takes steps until all samples are decided, by the rule of `decode.EarlyExit`.

        Args:
            steps: What `__call__` takes, one for each step.
            margin: By how many spikes a class must lead; by default the first spike decides.

        Returns:
            Classes and steps, by the first of ``names``.

        Raises:
            ValueError: if there are no steps, or as `__call__`.
        """
        decision = EarlyExit(margin)
        for x in steps:
            result = self(x)
            spikes = result if isinstance(result, Tensor) else result[0]
            if decision.update(spikes.flatten(1)).all():
                break
        else:
            if not len(decision.step):
                raise ValueError("there are no steps to decide by")
        return Decision(decision.prediction, decision.step)

    def read(self, name: str) -> Tensor:
        """The present value of a name, a state or what a layer made, ``[B, *]``.

        It is float32; what integers are is int32.

        Raises:
            KeyError: if there is none.
        """
        return self._state.read(name)

    def counts(self, name: str | None = None) -> Tensor:
        """How often each output has fired since the reset, float32 ``[B, *]``.

        Args:
            name: One of the network's outputs; by default the first.

        Raises:
            KeyError: if it is no output of spikes.
        """
        return self._state.counts(self.network.outputs[0] if name is None else name)

    @property
    def steps(self) -> int:
        """Steps since the reset."""
        return self._state.steps

    def reset(self) -> None:
        """As before the first step."""
        self._state.reset()

    def state_dict(self) -> dict[str, Tensor]:
        """All that the network keeps between steps, as bytes: uint8, under ``"state"``."""
        return {"state": torch.frombuffer(bytearray(self._state.save()), dtype=torch.uint8)}

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        """Goes on where a stream of the same network was when its ``state_dict`` was taken.

        Raises:
            KeyError: if it is no such dict.
            ValueError: if it is that of another network or batch; then nothing has changed.
        """
        self._state.restore(bytes(state_dict["state"].tolist()))


def stream(
    net: Callable[..., Any] | Network,
    sample: Tensor | None = None,
    batch: int = 1,
    *,
    names: Sequence[str] | None = None,
    kind: Kind | None = None,
) -> Stream:
    """Runs a network step by step, each step in one native call.

    Weights are copied and laid out once: what the network learns later is not seen. All states lie
    in one native object, and a step allocates nothing but its results.

    Spikes equal those of whole sequences bit for bit where layers multiply spikes; where a layer
    multiplies numbers, sums may differ in the last bit, because torch adds in another order.

    Args:
        net: What `save_network` takes, or what `load_network` returns.
        sample: What the network is called with, as for `save_network`; None for a loaded network.
        batch: How many samples take each step together.
        names: Values that a step returns: by default what the network returns. States are named
            ``path.mem``, say, and spikes ``path.spikes``.
        kind: As for `save_network`.

    Raises:
        GraphError: as `save_network`.
        TypeError: if there is no sample for a network that is not loaded.
        ValueError: for a sample without neurons.
        KeyError: if there is no value of a name.

    Example:
        >>> import torch, bitspike as snn
        >>> stream = snn.stream(snn.Leaky(beta=0.5, init_hidden=True), torch.tensor([[0.75]]))
        >>> for _ in range(3):
        ...     print(stream(torch.tensor([[0.75]])).item(), stream.read("Leaky.mem").item())
        0.0 0.75
        1.0 1.125
        0.0 0.3125
        >>> stream.counts()
        tensor([[1.]])
    """
    if not isinstance(net, Network):
        if sample is None:
            raise TypeError("sample is missing: what the network is called with")
        net = Network(network_bytes(net, sample, kind))
    return Stream(net, batch, names)
