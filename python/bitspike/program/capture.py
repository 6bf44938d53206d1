"""From a neuron to its program."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from bitspike.ops.straight_line import Program

from .build import Builder, Expression, Results
from .errors import ProgramError
from .evaluate import evaluate
from .key import key
from .tensors import tensor_of
from .trace import SIZES, Trace, trace
from .translate import Traced, Translator


class Captured(NamedTuple):
    """The programs of a neuron's step; neither depends on how large a layer is."""

    forward: Program
    """``sequences``: the current, then what is drawn at random."""
    adjoint: Program | None
    """Its gradient, which runs from the last step to the first; None if none was asked for.

    Its sequences are those of ``forward``, each state before the step, the gradient of the spikes
    and of each state after the step; its states the gradients, from later steps, of the states
    after this one, and ``next`` those before it. ``outputs`` are the gradients of the forward
    sequences, ``sums`` those of the constants.
    """

    computed: tuple[tuple[str, Expression], ...]
    """Constants that torch computes of the neuron's own, and how, for their last bit is torch's.

    Gradients go past them, to those of the neuron.
    """

    @property
    def draws(self) -> int:
        """How many random numbers each neuron draws at each step, uniform from 0 to 1."""
        return len(self.forward.sequences) - 1

    @property
    def fires_bits(self) -> bool:
        """Whether spikes are ones and zeros, but for a graded factor."""
        return self.forward.is_truth(self.forward.spikes, ("graded_spikes_factor",))

    def constants(self, neuron: nn.Module, device: torch.device) -> list[Tensor]:
        """The tensors of a neuron on a device that its program names, as they are now."""
        computed: dict[str, Tensor] = {}
        if self.computed:
            with torch.no_grad():
                computed = {name: evaluate(x, neuron, device) for name, x in self.computed}
        return [
            computed[name] if name in computed else tensor_of(neuron, name)
            for name in self.forward.constants
        ]

    def drawn(self, current: Tensor) -> list[Tensor]:
        """The random sequences for a current ``[T, *step]``: what a loop over its steps draws."""
        if not self.draws:
            return []
        steps, *step = current.shape
        options: dict[str, Any] = {"dtype": torch.float32, "device": current.device}
        if current.is_cpu:
            return list(torch.rand(steps, self.draws, *step, **options).unbind(1))
        # Elsewhere one large draw holds other numbers than many small ones.
        each = [torch.rand(step, **options) for _ in range(steps * self.draws)]
        return [torch.stack(each[i :: self.draws]) for i in range(self.draws)]


def capture(neuron: nn.Module, *, rank: int = 2, gradient: bool = True) -> Captured:
    """Writes the step of a neuron, and its gradient, as programs.

    ``step`` is traced on tensors without numbers, once for each class of neuron, options, and axes
    over which parameters repeat. Python that it runs is run then: a number that is no attribute of
    the neuron is read once.

    Args:
        neuron: A `SpikingNeuron` whose ``step`` computes each neuron by itself.
        rank: How many axes one step of the input has, ``[B, N]`` by default.
        gradient: Whether it is trained, and an adjoint is wanted.

    Raises:
        ProgramError: if the step has no program, with the reason.

    Example:
        >>> import bitspike as snn
        >>> captured = snn.program.capture(snn.LI(beta=0.9))
        >>> captured.forward.states, captured.forward.constants
        (('mem',), ('beta',))
    """
    found = look_up(neuron, rank, gradient)
    if isinstance(found, str):
        raise ProgramError(found)
    return found


def refusal(neuron: nn.Module, *, rank: int = 2, gradient: bool = True) -> str | None:
    """Why a neuron has no program, or None if it has one; the arguments are those of `capture`.

    Example:
        >>> import bitspike as snn
        >>> snn.program.refusal(snn.Leaky(beta=0.9)) is None
        True
        >>> snn.program.refusal(snn.SRM0([1.0, 0.5], [0.5]))
        'SRM0 has states of another shape than its input'
    """
    found = look_up(neuron, rank, gradient)
    return found if isinstance(found, str) else None


_KEPT = 256
_known: OrderedDict[Any, Captured | str] = OrderedDict()


def look_up(neuron: nn.Module, rank: int, gradient: bool) -> Captured | str:
    """The programs of a neuron, or why it has none; the arguments are those of `capture`.

    Example:
        >>> import bitspike as snn
        >>> found = snn.program.look_up(snn.Leaky(beta=0.9), rank=2, gradient=False)
        >>> found is snn.program.capture(snn.Leaky(beta=0.5), gradient=False)
        True
    """
    asked = key(neuron), rank, gradient
    if asked not in _known:
        try:
            first, second = (_captured(trace(neuron, rank, gradient, sizes)) for sizes in SIZES)
            found = first if first == second else "step computes with the size of its input"
            if key(neuron) != asked[0]:
                found = "step changes what the neuron refers to"
        except ProgramError as error:
            found = str(error)
        _known[asked] = found
        while len(_known) > _KEPT:
            _known.popitem(last=False)
    _known.move_to_end(asked)
    return _known[asked]


def _captured(traced: Trace) -> Captured:
    """Both programs of what was traced."""
    states = traced.names
    forward = _Forward(traced)
    spikes, *after = [forward.of(node) for node in traced.results]
    ends = Results(spikes, (), tuple(after), ())
    sequences = ("current", *(f"draw{i}" for i in range(forward.draws)))
    used = forward.constants(ends)
    if not traced.gradients:
        return Captured(
            forward.program(sequences, states, used, ends), None, forward.computed(used)
        )
    adjoint = _Adjoint(traced)
    nothing = adjoint.build.number(0)
    to_current, *others = [nothing if x is None else adjoint.of(x) for x in traced.gradients]
    before = tuple(others[: len(states)])
    to_constants = dict(zip(traced.constants, others[len(states) :], strict=True))
    outputs = (to_current, *(nothing for _ in range(forward.draws)))
    used |= adjoint.constants(Results(None, outputs, before, tuple(to_constants.values())))
    learned = {name for name, x in to_constants.items() if x != nothing}
    used = {name: None for name in (*traced.constants, *used) if name in used or name in learned}
    sums = tuple(to_constants.get(name, nothing) for name in used)
    starts = Results(None, outputs, before, sums)
    given = (*sequences, *states, "grad_spikes", *(f"grad_{name}" for name in states))
    later = tuple(f"later_{name}" for name in states)
    return Captured(
        forward.program(sequences, states, used, ends),
        adjoint.program(given, later, used, starts),
        tuple({**dict(forward.computed(used)), **dict(adjoint.computed(used))}.items()),
    )


class _Half:
    """A step, or its gradient, being translated."""

    def __init__(self, traced: Trace, *, exact: bool) -> None:
        self.traced, self.build, self.draws = traced, Builder(exact), 0
        self.translator = Translator(self.build, traced.step, self._draw)

    def enter(self, node: fx.Node, value: int, **flags: bool) -> None:
        """Gives an input of the trace its value."""
        shape = tuple(node.meta["val"].shape)
        self.translator.enter(node, Traced(value, shape, **flags))

    def of(self, node: fx.Node) -> int:
        """The value of a node."""
        return self.translator.of(node).value

    def constants(self, results: Results) -> dict[str, None]:
        """The names of those constants that results are made of, in their order."""
        used = self.build.used(results)
        names = (*self.traced.constants, *self.build.computed)
        return {name: None for name in names if self.build.input("constants", name) in used}

    def computed(self, used: Iterable[str]) -> tuple[tuple[str, Expression], ...]:
        """How those of these constants are computed that are not the neuron's own."""
        return tuple((x, self.build.computed[x]) for x in used if x in self.build.computed)

    def program(
        self, sequences: tuple[str, ...], states: tuple[str, ...], used: Any, results: Results
    ) -> Program:
        """The program of results."""
        names = {"sequences": sequences, "states": states, "constants": tuple(used)}
        return self.build.program(names, results)

    def _draw(self, node: fx.Node) -> int:
        if node not in self.traced.forward:
            raise ProgramError("the gradient of step draws random numbers")
        self.draws += 1
        return self.build.input("sequences", f"draw{self.draws - 1}")


class _Forward(_Half):
    def __init__(self, traced: Trace) -> None:
        super().__init__(traced, exact=True)
        self.enter(traced.current, self.build.input("sequences", "current"))
        for name, node in zip(traced.names, traced.states, strict=True):
            self.enter(node, self.build.input("states", name))
        for name, node in traced.constants.items():
            self.enter(node, self.build.input("constants", name), is_constant=True)
        for node in traced.nodes:
            if node in traced.forward:
                self.translator.call(node)


class _Adjoint(_Half):
    def __init__(self, traced: Trace) -> None:
        super().__init__(traced, exact=False)
        build = self.build
        self.enter(traced.current, build.input("sequences", "current"))
        for name, node in zip(traced.names, traced.states, strict=True):
            self.enter(node, build.input("sequences", name))
        for name, node in traced.constants.items():
            self.enter(node, build.input("constants", name), is_constant=True)
        of_spikes, *of_states = traced.grads
        self.enter(of_spikes, build.input("sequences", "grad_spikes"), is_gradient=True)
        for name, node in zip(traced.names, of_states, strict=True):
            own, later = ("sequences", f"grad_{name}"), ("states", f"later_{name}")
            both = build.op("add", build.input(*own), build.input(*later))
            self.enter(node, both, is_gradient=True)
        for node in traced.nodes:
            self.translator.call(node)
