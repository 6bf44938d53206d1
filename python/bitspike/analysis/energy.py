"""What a network costs: synaptic operations, bytes, and an estimate of energy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.neurons.base import FIRING
from bitspike.neurons.base.recurrent import OneToOne, Recurrent
from bitspike.spikes.tensor import SpikeTensor

from .connections import FanOut
from .observe import SYNAPSES, Run, Seen, observed, run_once, sequence
from .table import percent, si, table


@dataclass(frozen=True)
class SynapseEnergy:
    """What the weights of one layer cost, over all steps and samples."""

    name: str
    """The name of its module in the network."""
    kind: str
    """The class of its module."""
    density: float
    """The share of inputs that are not zero."""
    by_spikes: bool
    """Whether all inputs are 0, 1 or -1: then a weight is added (AC), else multiplied (MAC)."""
    operations: int
    """Accumulations of the active inputs' weights, or multiply-accumulations of all inputs."""
    bias_additions: int
    """Additions of biases."""
    weight_bytes: int
    """Bytes of weights that are read if each operation reads its own."""
    input_bytes: int
    """Bytes of the input: bits if it consists of spikes, else numbers."""
    dense_input_bytes: int
    """Bytes of the input as numbers."""
    ann_operations: int
    """Multiply-accumulations of the same layer in one forward pass of a dense network."""
    ann_bias_additions: int
    """Its additions of biases."""
    joules: float
    """The energy of operations and biases."""
    ann_joules: float
    """That of one forward pass of the dense network."""


@dataclass(frozen=True)
class NeuronEnergy:
    """What the neurons of one layer cost, over all steps and samples."""

    name: str
    """The name of its module in the network."""
    kind: str
    """The class of its module."""
    updates: int
    """Neurons times steps times samples."""
    operations: int
    """Multiply-accumulations: one for each state of each update."""
    spikes: int
    """Its spikes, each of which takes an addition to reset a membrane."""
    joules: float
    """The energy of both."""


@dataclass(frozen=True)
class Energy:
    """What `energy` found: layers of weights, over which it iterates, and neurons.

    ``print`` shows them, per sample.
    """

    synapses: tuple[SynapseEnergy, ...]
    """The layers of weights in the order in which they ran."""
    neurons: tuple[NeuronEnergy, ...]
    """The layers of neurons, likewise."""
    uncounted: tuple[str, ...]
    """Modules that do arithmetic that is not counted."""
    steps: int
    """Steps of the sequence."""
    samples: int
    """Samples of the batch."""

    def __iter__(self) -> Iterator[SynapseEnergy]:
        """The layers of weights."""
        return iter(self.synapses)

    @property
    def synops(self) -> int:
        """All operations of synapses."""
        return sum(row.operations for row in self)

    @property
    def joules(self) -> float:
        """The energy of all synapses and neurons."""
        return sum(row.joules for row in self.synapses) + sum(row.joules for row in self.neurons)

    @property
    def ann_joules(self) -> float:
        """The energy of one forward pass of a dense network with the same layers of weights."""
        return sum(row.ann_joules for row in self)

    def __str__(self) -> str:
        """Both tables per sample, and the comparison."""
        n = self.samples
        synapses = [
            (
                row.name,
                row.kind,
                percent(row.density),
                "AC" if row.by_spikes else "MAC",
                si(row.operations / n),
                si(row.bias_additions / n),
                si(row.weight_bytes / n, "B"),
                si(row.input_bytes / n, "B"),
                si(row.dense_input_bytes / n, "B"),
                si(row.joules / n, "J"),
                si(row.ann_operations / n),
                si(row.ann_joules / n, "J"),
            )
            for row in self.synapses
        ]
        neurons = [
            (
                row.name,
                row.kind,
                si(row.updates / n),
                si(row.operations / n),
                si(row.spikes / n),
                si(row.joules / n, "J"),
            )
            for row in self.neurons
        ]
        head = (
            "synapses,kind,density,by,SynOps,biases,weights read,input,as floats,energy,"
            "dense MACs,dense energy"
        )
        parts = [
            f"{self.steps} steps; per sample, mean of {n}; dense is one pass without spikes",
            table(head.split(","), synapses),
            "",
            table(("neurons", "kind", "updates", "MACs", "spikes", "energy"), neurons),
            "",
            f"{si(self.joules / n, 'J')} per sample; a dense pass takes "
            f"{si(self.ann_joules / n, 'J')}",
        ]
        if self.joules:
            parts[-1] += f", {self.ann_joules / self.joules:.2g} times as much"
        if self.uncounted:
            parts.append(f"not counted: {', '.join(self.uncounted)}")
        return "\n".join(parts)


def energy(
    net: nn.Module,
    x: Tensor,
    *,
    add_pj: float = 0.9,
    multiply_pj: float = 3.7,
    run: Run | None = None,
) -> Energy:
    r"""Counts what a network does for an input, and estimates the energy that it takes.

    A spike adds one weight for each connection that leaves its neuron. With ``f(p)`` connections
    that leave input ``p`` and additions of ``E_add`` joules, a layer takes

    .. math::
        \mathrm{SynOps} = \sum_{t,b,p} S[t,b,p]\,f(p), \qquad
        E = E_\mathrm{add}\,(\mathrm{SynOps} + \mathrm{biases})

    ``f`` is exact at the borders of convolutions. Where inputs are not spikes, all of them are
    multiplied and added, zeros too, with ``E_mul + E_add`` each, as in the dense network to
    compare with: the same layers, one forward pass. What runs once, because `unroll` sees the same
    input at all steps, is counted once. A neuron takes one multiply-accumulation for each of its
    states and steps, and an addition per spike; that is a lower bound for models with exponentials.

    Spikes are counted as bits, and packed ones are not unpacked for it. Energies are those of
    arithmetic alone, by default with float32 in 45 nm CMOS at 0.9 V: 0.9 pJ to add, 3.7 pJ to
    multiply (Horowitz 2014, ISSCC). Memory costs more: of the bytes given, those of weights are
    what is read without a cache.

    Args:
        net: A network, as `diagnose` takes it; nothing of it changes.
        x: The input ``[T, B, *]``, spikes packed or not.
        add_pj: Picojoules of an addition.
        multiply_pj: Picojoules of a multiplication.
        run: As in `diagnose`.

    Returns:
        An `Energy`. Layers are ``nn.Linear``, ``nn.Conv1d``, ``2d`` and ``3d``, and what feeds the
        spikes of recurrent neurons back. Other modules with parameters are listed as uncounted.

    Raises:
        ValueError: for negative energies, and as `diagnose`.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(20, 50), snn.Leaky(beta=0.9, init_hidden=True))
        >>> x = torch.zeros(25, 8, 20)
        >>> x[3, 0, :7] = 1
        >>> [layer.operations for layer in snn.energy(net, x)]
        [350]
    """
    for name, value in (("add_pj", add_pj), ("multiply_pj", multiply_pj)):
        if not value >= 0:
            raise ValueError(f"{name} must not be negative, but is {value}")
    x = sequence(x)
    with torch.no_grad(), observed(net, x) as seen:
        run_once(net, x, run, seen)
    cost = _Cost(add_pj * 1e-12, multiply_pj * 1e-12)
    synapses: list[SynapseEnergy] = []
    neurons: list[NeuronEnergy] = []
    counted: set[nn.Module] = set()
    for one in seen:
        name, layer, inputs = one.name, one.module, one.inputs
        if one.is_neuron:
            neurons.append(cost.of_neurons(one))
            if not isinstance(one.module, Recurrent):
                continue
            name, layer, inputs = f"{name}.recurrent", one.module.recurrent, [_back(one.record())]
        elif not isinstance(layer, SYNAPSES):
            continue
        synapses.append(cost.of_synapses(name, layer, inputs, x.shape[:2]))
        counted |= set(layer.modules())
    others = _uncounted(net, counted)
    return Energy(tuple(synapses), tuple(neurons), tuple(others), x.shape[0], x.shape[1])


@dataclass(frozen=True)
class _Cost:
    """The energies of operations, in joules."""

    add: float
    multiply: float

    def of_synapses(
        self, name: str, layer: Any, inputs: list[Tensor], sequence: torch.Size
    ) -> SynapseEnergy:
        """A layer of weights that saw these inputs, during a sequence ``[T, B]``."""
        fans = [FanOut(layer, x.shape) for x in inputs]
        bits = [fan.bits(x) for fan, x in zip(fans, inputs, strict=True)]
        spikes = [x for x in bits if x is not None]
        by_spikes = len(spikes) == len(bits)
        size = sum(x.numel() for x in inputs)
        active = sum(int(torch.count_nonzero(x)) for x in (spikes if by_spikes else inputs))
        fronts = [x.shape[: x.dim() - fan.axes] for fan, x in zip(fans, inputs, strict=True)]
        # An input that is constant in time was computed for one step; any other for all steps.
        steps = sum(_steps(front, sequence) for front in fronts)
        passes = sequence[0] if steps >= sequence[0] else 1
        pairs = list(zip(fans, fronts, strict=True))
        connections = operations = sum(fan.total * front.numel() for fan, front in pairs)
        if by_spikes:
            operations = sum(fan.of(x) for fan, x in zip(fans, spikes, strict=True))
        biases = 0
        if getattr(layer, "bias", None) is not None:
            biases = sum(fan.outputs * front.numel() for fan, front in pairs)
        weight: Tensor = layer.V if isinstance(layer, OneToOne) else layer.weight
        as_numbers = size * inputs[0].element_size()
        mac = self.add + self.multiply
        return SynapseEnergy(
            name=name,
            kind=type(layer).__name__,
            density=active / size if size else 0.0,
            by_spikes=by_spikes,
            operations=operations,
            bias_additions=biases,
            weight_bytes=operations * weight.element_size(),
            input_bytes=sum(x.words.nbytes for x in spikes) if by_spikes else as_numbers,
            dense_input_bytes=as_numbers,
            ann_operations=connections // passes,
            ann_bias_additions=biases // passes,
            joules=operations * (self.add if by_spikes else mac) + biases * self.add,
            ann_joules=connections // passes * mac + biases // passes * self.add,
        )

    def of_neurons(self, seen: Seen) -> NeuronEnergy:
        """A layer of neurons."""
        updates = sum(x.numel() for x in seen.outputs)
        states = [name for name in getattr(seen.module, "STATES", ()) if name != "spk"]
        operations = updates * max(len(states), 1)
        spikes = int(seen.fired().count_nonzero()) if seen.fires else 0
        joules = operations * (self.add + self.multiply) + spikes * self.add
        return NeuronEnergy(
            seen.name,
            seen.kind,
            updates=updates,
            operations=operations,
            spikes=spikes,
            joules=joules,
        )


def _back(record: Tensor) -> Tensor:
    """What comes back at each step: the spikes of the step before, and at first none."""
    if isinstance(record, SpikeTensor):
        return record.like(_back(record.words))
    return torch.cat([torch.zeros_like(record[:1]), record[:-1]])


def _steps(front: torch.Size, sequence: torch.Size) -> int:
    """For how many steps a call ran, given the axes in front of its features."""
    samples = sequence[1]
    if front[:2] == sequence or (len(front) > 1 and front[0] != samples == front[1]):
        return front[0]
    return front[0] // samples if front and front[0] % samples == 0 else 1


def _uncounted(net: nn.Module, counted: set[nn.Module]) -> Iterator[str]:
    """The modules with arrays of parameters that are not among those counted."""
    for name, module in net.named_modules():
        arrays = any(p.numel() > 1 for p in module.parameters(recurse=False))
        if arrays and not isinstance(module, FIRING) and module not in counted:
            yield f"{name} ({type(module).__name__})"
