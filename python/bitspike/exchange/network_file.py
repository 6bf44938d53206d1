"""Network files: a trained network that runs without Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, with_values
from bitspike.graph import GraphError, capture
from bitspike.ops import network
from bitspike.spikes.tensor import SpikeTensor

from .description import Description
from .module import FileNetwork
from .parts import Parts
from .steps import step_of

Kind = Literal["spikes", "numbers"]
_STEPS = 8
_INPUT, _RESULT = "selftest.input", "selftest.output:"


def network_bytes(
    net: Callable[..., Any], sample: Tensor, kind: Kind | None = None, dt: float = 1e-3
) -> bytes:
    """The content of a network file; see `save_network`."""
    described = describe(net, sample, kind, dt)
    return network.write(described.graph, described.tensors)


def describe(
    net: Callable[..., Any], sample: Tensor, kind: Kind | None = None, dt: float = 1e-3
) -> Description:
    """The graph of a network and its tensors, for arguments of `save_network`."""
    sample = with_values(as_tensor(sample, "sample"), "sample")
    if kind is None:
        packed = isinstance(sample, SpikeTensor)
        kind = "spikes" if packed or bool(((sample == 0) | (sample == 1)).all()) else "numbers"
    with torch.no_grad():
        step = step_of(capture(net, sample))
    if not step.shape or 0 in step.shape:
        raise ValueError(
            "sample must be one step [B, *] or a sequence [T, B, *] with neurons behind its "
            f"samples, not {list(sample.shape)}"
        )
    described = Description(step, kind, dt)
    if not described.outputs:
        raise GraphError("the program returns nothing that its steps make")
    return described


def save_network(
    net: Callable[..., Any],
    path: str | Path,
    sample: Tensor,
    *,
    kind: Kind | None = None,
    dt: float = 1e-3,
) -> None:
    """Writes a network file, which Rust and C run step by step without Python.

    The network is captured from one call, see :func:`bitspike.graph.capture`: of a single step
    whose neurons keep their states (``init_hidden=True``), of a loop over time, or of a sequence
    that its neurons take whole (``multi_step=True``). The file holds one step of it: a graph as
    JSON, weights, and some steps of random input with what the network makes of them, for
    `verify`. Other readers of safetensors open it as well. Batch normalisations in eval mode are
    folded into the linear layers and convolutions in front of them, which rounds once more.

    Args:
        net: An ``nn.Module``, or a function that calls modules, in eval mode.
        path: Where the file goes.
        sample: What it is called with: one step ``[B, *]``, or a sequence ``[T, B, *]``.
        kind: Whether steps take spikes or numbers; by default spikes, if the sample is one of zeros
            and ones.
        dt: Seconds per step.

    Raises:
        TypeError: for a sample that is no tensor and cannot become one, or has no values.
        GraphError: for a program that is no network of steps, or a call that a file has no word
            for, with the line and the reason.
        ValueError: for a sample without neurons; if the file would not be read, with the reason.

    Example:
        >>> import torch, bitspike as snn, tempfile
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(3, 2), snn.Leaky(beta=0.9, init_hidden=True))
        >>> file = tempfile.mkdtemp() + "/net.safetensors"
        >>> snn.save_network(net, file, torch.rand(1, 3))
        >>> snn.verify(file)
        >>> snn.load_network(file).outputs
        ('1.spikes',)
    """
    data = network_bytes(net, sample, kind, dt)
    Path(path).write_bytes(with_selftest(data))


class NetworkFile(network.Network):
    """A network file that has been read; see `load_network`."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._data = data

    def module(self, spike_grad: Callable[[Tensor], Tensor] | None = None) -> FileNetwork:
        """The network as an ``nn.Module``, to train on or to save again.

        It takes sequences ``[T, B, *]`` from rest, in a loop over time, and returns the outputs of
        all steps. Layers have the names that they had, and weights are parameters; what a file does
        not hold is as a class has it by default: surrogates, and what else is learned. The numbers
        of `PLIF` are those of the file within rounding, all others in all bits.

        Args:
            spike_grad: The surrogate gradient of all neurons.

        Raises:
            GraphError: for neurons of which a file holds the coefficients of the equation only, and
                not the arguments (`AdEx`, `EIF`, `HodgkinHuxley`, `Lapicque`, `QIF`,
                `ResonateAndFire`), for tensors of half precision, and for networks that run in
                integers, which do not learn.

        Example:
            >>> import torch, bitspike as snn, tempfile
            >>> file = tempfile.mkdtemp() + "/net.safetensors"
            >>> lif = snn.Leaky(beta=0.5, init_hidden=True)
            >>> snn.save_network(lif, file, torch.tensor([[0.75]]))
            >>> net = snn.load_network(file).module()
            >>> net(torch.full((3, 1, 1), 0.75)).flatten()
            tensor([0., 1., 0.])
        """
        graph, tensors = _content(self._data)
        described = json.loads(graph)
        exact = next((op["out"] for op in described["ops"] if "arith" in op), None)
        if exact is not None:
            raise GraphError(f"{exact} is made in integers, which do not learn")
        return FileNetwork(described, Parts(tensors, spike_grad))


def load_network(path: str | Path) -> NetworkFile:
    """Reads a network file; :func:`bitspike.stream` runs what this returns.

    ``load_network(path).module()`` is the network as an ``nn.Module`` again, see
    `NetworkFile.module`.

    Raises:
        ValueError: for anything in the file that is not as it must be.

    Example:
        >>> import torch, bitspike as snn, tempfile
        >>> file = tempfile.mkdtemp() + "/net.safetensors"
        >>> snn.save_network(snn.Leaky(beta=0.5, init_hidden=True), file, torch.tensor([[0.75]]))
        >>> stream = snn.stream(snn.load_network(file))
        >>> [stream(torch.tensor([[0.75]])).item() for _ in range(3)]
        [0.0, 1.0, 0.0]
    """
    return NetworkFile(Path(path).read_bytes())


def verify(path: str | Path) -> None:
    """Runs the steps that a network file holds for a test: the bits must be those in the file.

    Raises:
        ValueError: if they are not, if the file holds none, or if it cannot be read.

    Example:
        >>> import torch, bitspike as snn, tempfile
        >>> file = tempfile.mkdtemp() + "/net.safetensors"
        >>> snn.save_network(snn.Leaky(beta=0.5, init_hidden=True), file, torch.tensor([[0.75]]))
        >>> snn.verify(file)
    """
    data = Path(path).read_bytes()
    net = network.Network(data)
    tensors = {name: x for name, x in _content(data)[1].items() if name.startswith("selftest.")}
    if _INPUT not in tensors:
        raise ValueError(f"{path} holds no steps for a test")
    for name, found in _run(net, tensors[_INPUT]).items():
        expected = tensors.get(name)
        if expected is None or not _same_bits(found, expected):
            raise ValueError(f"{path} does not compute its own {name.removeprefix(_RESULT)!r}")


def _same_bits(found: Tensor, expected: Tensor) -> bool:
    """Whether these are the same numbers; spikes may be bytes or floats."""
    if found.dtype != expected.dtype:
        found = found.to(expected.dtype)
    bits = [x.view(torch.int32) if x.dtype.itemsize == 4 else x for x in (found, expected)]
    return found.shape == expected.shape and torch.equal(*bits)


def with_selftest(data: bytes) -> bytes:
    """The same file with steps for a test.

    Their input is one of bytes: spikes, or numbers in 256ths. What it makes is bytes where it is
    spikes.
    """
    net = network.Network(data)
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(256, (_STEPS, *net.input.shape), generator=generator, dtype=torch.uint8)
    if net.input.is_spikes:
        x = (x < 77).byte()
    graph, tensors = _content(data)
    return network.write(graph, tensors | {_INPUT: x} | _run(net, x))


def _run(net: network.Network, x: Tensor) -> dict[str, Tensor]:
    """What a network makes of the input of a test, by the names of the file's tensors."""
    state = net.state(1)
    if x.dtype == torch.uint8:
        x = x.float() if net.input.is_spikes else x / 256
    steps = [state.step(step.contiguous(), "dense") for step in x]
    outputs = zip(net.outputs, zip(*steps, strict=True), strict=True)
    made = {name: torch.cat(list(values)) for name, values in outputs}
    spikes = {name for name in made if net.value(name).is_spikes}
    return {_RESULT + name: y.byte() if name in spikes else y for name, y in made.items()}


def _content(data: bytes) -> tuple[str, dict[str, Tensor]]:
    """The graph and the tensors of a network file that has been read before."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    graph = header.pop("__metadata__")["graph"]
    tensors = {}
    for name, about in header.items():
        first, last = (start + offset for offset in about["data_offsets"])
        dtype = network.DTYPES.get(about["dtype"])
        if dtype is None:
            known = ", ".join(network.DTYPES)
            raise GraphError(f"{name} is {about['dtype']}, and only {known} are read in Python")
        numbers = torch.frombuffer(bytearray(data[first:last]), dtype=dtype)
        tensors[name] = numbers.view(about["shape"])
    return graph, tensors
