"""Networks of ours as graphs of NIR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Size, Tensor, nn

from bitspike.arguments import as_tensor, expect_choice, with_values
from bitspike.graph import Attribute, Constant, Node, Output, Value, capture
from bitspike.graph.values import leaves
from bitspike.neurons import LinearLeaky
from bitspike.neurons.base.neuron import SpikingNeuron
from bitspike.neurons.base.never_reset import NeverReset
from bitspike.neurons.base.recurrent import OneToOne, Recurrent

from ..functions import ADDS, DROPOUTS, MULTIPLIES, PASSES, POOLS, RESHAPES
from ..steps import Previous, Step, step_of
from .clock import Clock
from .equation import Equation, number
from .errors import NIRError
from .gains import folded
from .layers import flattened, record_of, scaled
from .neurons import equation_of
from .nodes import Assembly, assembly
from .order import arrange
from .package import as_nir, has_reset_value, package, unchecked
from .records import Edge, GraphRecord, Record
from .report import Report

RESETS = ("error", "graph", "hard", "nir104")
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def to_nir(
    net: Callable[..., Any],
    sample: Tensor,
    *,
    dt: float,
    reset: str = "error",
    discretization: str = "euler",
    nudge_threshold: bool = False,
    compat: str | None = None,
) -> Any:
    """Makes a graph of NIR of a network, which ``nir.write`` writes to a file.

    The network is captured from one call, as by `save_network`: of a single step whose neurons keep
    their states, of a loop over time, or of a sequence that its neurons take whole. Nodes have the
    paths of the modules.

    A single node of NIR (since 1.0.6) resets a membrane to a value. ``"subtract"``, the default of
    most neurons, is a circle of nodes in NIR, ``LI → Threshold → Scale(-θ) → LI``: the same
    numbers, and `from_nir` makes one neuron of it again.

    Args:
        net: An ``nn.Module``, or a function that calls modules, in eval mode.
        sample: What it is called with: one step ``[B, *]``, or a sequence ``[T, B, *]``.
        dt: Seconds per step.
        reset: What becomes of ``"subtract"``: ``"error"`` refuses it; ``"graph"`` says it exactly,
            as a circle of nodes; ``"hard"`` makes a reset to zero of it, with other spikes;
            ``"nir104"`` writes nodes of nir before 1.0.6, whose spikes subtract the threshold at
            once (if such a version is installed).
        discretization: ``"euler"``, time constants ``dt/(1 - β)``, or ``"exact"``, ``-dt/ln β``.
        nudge_threshold: Say ``fire_at="ge"`` by a threshold that is smaller by one unit in its last
            place.
        compat: ``"nirtorch"`` refuses what nirtorch 2.6 cannot run: several outputs; and it has no
            dots in names.

    Returns:
        A ``nir.NIRGraph``; its attribute ``nir_report`` says what became of each module.

    Raises:
        NIRError: for what NIR cannot say, with the path of the module and what to do instead.
        GraphError: for a program that is no network of steps.
        TypeError: for a sample that is no tensor and cannot become one, or has no values.
        ValueError: for another word than those above, or a ``dt`` that is not positive.
        ImportError: without the package nir.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(3, 2), snn.Leaky(beta=0.9, init_hidden=True))
        >>> graph = snn.nir.to_nir(net, torch.rand(1, 3), dt=1e-3, reset="graph")
        >>> sorted(graph.nodes)
        ['0', '1.li', '1.reset', '1.threshold', 'input', 'output']
    """
    expect_choice("reset", reset, RESETS)
    if compat is not None:
        expect_choice("compat", compat, ("nirtorch",))
    clock = Clock.of(dt, discretization)
    package("nir")
    sample = with_values(as_tensor(sample, "sample"), "sample")
    if reset == "nir104" and has_reset_value():
        raise NIRError(
            'nodes of the installed version of nir say what a spike resets to, and reset="nir104" '
            'needs one below 1.0.6; reset="graph" subtracts in every version'
        )
    with torch.no_grad():
        step = step_of(capture(net, sample))
        writer = _Writer(step, clock, _Options(reset, nudge_threshold))
    graph = writer.graph
    if compat:
        if len(writer.outputs) > 1:
            raise NIRError("nirtorch runs graphs with one output; return one tensor")
        graph = _without_dots(graph)
    graph.metadata = {
        "dt": clock.dt,
        "discretization": clock.discretization,
        "spike_amplitude": "1 per dt",
    }
    try:
        made = as_nir(graph)
    except ValueError as error:
        made = unchecked(graph)
        writer.report.keep("graph", f"nir's own check of types refuses it: {error}")
    made.nir_report = writer.report
    return made


@dataclass(frozen=True)
class _Options:
    reset: str
    nudge_threshold: bool


class _Writer:
    """The graph of a step."""

    def __init__(self, step: Step, clock: Clock, options: _Options) -> None:
        self.graph = GraphRecord()
        self.report = Report()
        self._step, self._clock, self._options = step, clock, options
        self._names: dict[Value, str] = {}
        """What made a value, if that is a node."""
        self._same: dict[Value, list[Any]] = {}
        """The values of which another one is the sum."""
        self._wanted: list[tuple[Any, str, Node | None]] = []
        """What enters which node."""
        self._backward: set[Edge] = set()
        self._called: set[nn.Module] = set()
        self._membranes: dict[Value, str] = {}
        self._uses = Counter(
            x for _, args, kwargs in step.calls for x in leaves((args, kwargs)) if isinstance(x, Output)
        ) + Counter(step.results)
        self._add("input", Record("Input", {"shape": tuple(step.shape)}), step.shape)
        self._names[step.input] = "input"
        for node, args, kwargs in step.calls:
            try:
                self._call(node, args, kwargs)
            except NIRError as error:
                raise NIRError(_located(node, str(error))) from None
        self.outputs = self._finish()
        for value, name, node in self._wanted:
            self._connect(value, name, node)
        self._expect_order()

    def _add(self, wanted: str, record: Record | GraphRecord, shape: Size) -> str:
        """Adds a node, and returns its name."""
        name, count = wanted, 1
        while name in self.graph.nodes:
            count += 1
            name = f"{wanted}_{count}"
        self.graph.nodes[name] = record
        self._shapes = getattr(self, "_shapes", {}) | {name: shape}
        return name

    def _shape(self, value: Any) -> Size:
        """The shape of a value in a step, without the batch."""
        if value is self._step.input:
            return self._step.shape
        tensor = value.output if isinstance(value, Previous) else value
        return Size(tensor.shape[self._step.leading :])

    def _call(self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        module = node.module
        values = [x for x in leaves((args, kwargs)) if isinstance(x, Value | Previous)]
        values = [x for x in values if not isinstance(x, Attribute | Constant)]
        if isinstance(module, SpikingNeuron | NeverReset):
            return self._neuron(node, module, args[0])
        out = node.outputs[0]
        if isinstance(module, _NORMS):
            return self._norm(node, module, values[0])
        if module is not None:
            record = self._layer(module, node, values[0])
        elif node.name in ADDS and len(values) == len(args) == 2:
            self._same[out] = values
            return None
        else:
            record = self._function(node, args, kwargs, values)
        if record is None:
            self._same[out] = values[:1]
            return None
        name = self._add(node.name, record, self._shape(out))
        self._wanted.append((values[0], name, node))
        self._names[out] = name
        self.report.keep(name, record.kind)
        return None

    def _layer(self, module: nn.Module, node: Node, value: Any) -> Record | None:
        shape = self._shape(value)
        record = record_of(module, shape, self._clock)
        axes = {"Linear": 1, "Affine": 1, "Conv1d": 2, "Conv2d": 3}
        needed = axes.get(record.kind) if record is not None else None
        if needed is not None and len(shape) != needed:
            raise NIRError(
                f"NIR's {type(module).__name__} takes steps of {needed} axes, and these have "
                f"{list(shape)}; flatten them in front of it"
            )
        self._note_precision(node.name, module)
        return record

    def _note_precision(self, name: str, module: nn.Module) -> None:
        for key, x in module.named_parameters():
            if x.dtype is not torch.float32:
                self.report.change(name, f"{key} is {x.dtype}, and networks are read as float32")

    def _function(
        self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any], values: list[Any]
    ) -> Record | None:
        """The node of a torch function; None for one that changes nothing."""
        name, out = node.name, node.outputs[0]
        if name in PASSES or (name in DROPOUTS and not node.draws):
            return None
        if name in POOLS and len(values) == 1:
            return record_of(POOLS[name](*args[1:], **kwargs), self._shape(values[0]), self._clock)
        if name in RESHAPES and len(values) == 1 and len(self._shape(out)) == 1:
            return flattened(self._shape(values[0]))
        if name in MULTIPLIES and len(args) == 2 and len(values) == 1:
            factor = args[1] if args[0] is values[0] else args[0]
            if isinstance(factor, Attribute):
                factor = factor.read()
            if isinstance(factor, Constant):
                factor = factor.tensor
            if isinstance(factor, int | float | Tensor):
                return scaled(torch.as_tensor(factor).float(), self._shape(out))
        raise NIRError(
            f"NIR has no node that computes {name}; there are nodes for sums, products with a "
            "constant, reshapes to one axis and averages of windows"
        )

    def _norm(self, node: Node, module: Any, value: Any) -> None:
        """A normalisation, which goes into the weights in front of it."""
        if module.training or module.running_mean is None:
            raise NIRError("it normalises by the batch, which NIR cannot say; call eval() first")
        front = self._names.get(value)
        record = self.graph.nodes[front] if front is not None else None
        if front is None or not isinstance(record, Record) or self._uses[value] != 1:
            raise NIRError("NIR cannot say it but in the weights of a layer that feeds it alone")
        scale = torch.rsqrt(module.running_var.double() + module.eps)
        if module.affine:
            scale = scale * module.weight.double()
        shift = -module.running_mean.double() * scale
        if module.affine:
            shift = shift + module.bias.double()
        shape = (-1, *(1,) * (len(self._shape(value)) - 1))
        whole = (x.view(shape).expand(self._shape(value)) for x in (scale, shift))
        found = folded(record, *whole)
        if found is None:
            raise NIRError("NIR can say it behind Linear, Conv1d and Conv2d only")
        for key in ("weight", "bias"):
            found.fields[key] = found.fields[key].float()
        self.graph.nodes[front] = found
        self._names[node.outputs[0]] = front
        self.report.change(node.name, f"folded into the weights of {front}")

    def _neuron(self, node: Node, neuron: Any, value: Any) -> None:
        """The nodes of a neuron."""
        if neuron in self._called:
            raise NIRError("it is called more than once in a step; NIR has one node for each neuron")
        self._called.add(neuron)
        equation = equation_of(neuron, nudge_threshold=self._options.nudge_threshold)
        shape = self._shape(node.outputs[0])
        path = node.name
        if isinstance(neuron, LinearLeaky):
            linear = self._add(f"{path}.linear", record_of_linear(neuron, self._clock), shape)
            self._wanted.append((value, linear, node))
            value = linear
        found = self._assembly(path, neuron, equation, shape)
        if isinstance(neuron, Recurrent):
            graph = self._recurrent(neuron, found, shape)
            entry = exit = self._add(path, graph, shape)
        else:
            entry, exit = self._spread(path, found, shape)
        self._wanted.append((value, entry, node))
        exit = self._behind(path, neuron, exit, shape)
        self.report.keep(path, " → ".join(x.kind for x in found.nodes.values()))
        if equation.threshold is None:
            self._names[node.outputs[0]] = exit
            return
        for state in node.states:
            self._membranes[state] = path
        if isinstance(neuron, Recurrent):
            spikes = node.states[neuron.STATES.index("spk")]
            del self._membranes[spikes]
            self._names[spikes] = exit
        for membrane in node.outputs[1:]:
            self._membranes.setdefault(membrane, path)
        self._names[node.outputs[0]] = exit

    def _assembly(self, path: str, neuron: Any, equation: Equation, shape: Size) -> Assembly:
        """The nodes that compute the equation of a neuron, as the options choose."""
        hints: dict[str, Any] = {}
        if type(neuron).__name__ in ("CuBaLIF", "RefractoryLeaky"):
            hints["neuron"] = type(neuron).__name__
        is_recurrent = isinstance(neuron, Recurrent)
        if equation.threshold is None or equation.reset == "none":
            return assembly(equation, shape, self._clock, hints)
        if equation.reset == "zero":
            erases = equation.alpha is not None or is_recurrent
            if equation.delayed and erases:
                raise NIRError(
                    "reset_mechanism='zero' with reset_delay=True erases what comes in at the step "
                    "after a spike, which NIR's reset does not; export with reset_delay=False"
                )
            if equation.delayed:
                hints["reset_delay"] = True
            return assembly(equation, shape, self._clock, hints)
        chosen = self._options.reset
        if chosen == "error":
            raise NIRError(
                f"reset_mechanism={equation.reset!r} is a circle of nodes in NIR: reset=\"graph\" "
                'writes it exactly, reset="hard" makes a reset to zero of it, with other spikes'
            )
        if chosen == "graph":
            if not equation.delayed:
                hints["reset_delay"] = False
            return assembly(equation, shape, self._clock, hints)
        hard = replace(equation, reset="zero", delayed=False)
        made = assembly(hard, shape, self._clock, hints)
        if chosen == "hard":
            self.report.change(path, "spikes reset the membrane to 0 instead of subtracting")
        else:
            made.nodes[""].fields.pop("v_reset")  # type: ignore[union-attr]
            if equation.reset == "subtract" and equation.delayed:
                self.report.change(path, "spikes subtract at once instead of in the next step")
        return made

    def _spread(self, path: str, found: Assembly, shape: Size) -> Edge:
        """Adds the nodes of a neuron, and returns the first and the last."""
        names = {
            part: self._add(f"{path}.{part}" if part else path, record, shape)
            for part, record in found.nodes.items()
        }
        for a, b in found.edges:
            self.graph.edges.append((names[a], names[b]))
            if a == "reset":
                self._backward.add((names[a], names[b]))
        return names[found.entry], names[found.exit]

    def _recurrent(self, neuron: Recurrent, found: Assembly, shape: Size) -> GraphRecord:
        """A graph inside the graph: a neuron, and what its spikes come back through."""
        nodes = {part or "lif": record for part, record in found.nodes.items()}
        entry, exit = found.entry or "lif", found.exit or "lif"
        connection = neuron.recurrent
        if isinstance(connection, OneToOne):
            back: Record | None = scaled(connection.V, shape)
        else:
            back = record_of(connection, shape, self._clock)
        if back is None:
            raise NIRError("NIR cannot say a connection that changes nothing; use V=1")
        ends = {
            "input": Record("Input", {"shape": tuple(shape)}),
            "output": Record("Output", {"shape": tuple(shape)}),
        }
        edges = [("input", entry), *found.edges, (exit, "w_rec"), ("w_rec", entry)]
        return GraphRecord({**nodes, "w_rec": back, **ends}, [*edges, (exit, "output")])

    def _behind(self, path: str, neuron: Any, exit: str, shape: Size) -> str:
        """What follows a neuron as a part of it: a step of delay, and what its spikes count."""
        more = {}
        if getattr(neuron, "order", "") == "fire_first":
            delay = number(self._clock.dt).expand(shape).contiguous()
            more["delay"] = Record("Delay", {"delay": delay})
        factor = getattr(neuron, "graded_spikes_factor", None)
        if factor is not None and bool((factor != 1).any()):
            more["graded"] = scaled(factor, shape)
        for part, record in more.items():
            name = self._add(f"{path}.{part}", record, shape)
            self.graph.edges.append((exit, name))
            exit = name
        return exit

    def _finish(self) -> list[str]:
        """Adds the outputs."""
        results = [x for x in self._step.results if x not in self._membranes]
        for value in self._step.results:
            if value in self._membranes and results:
                self.report.change(
                    self._membranes[value], "its membrane is no output: a node of NIR gives spikes"
                )
        if not results:
            raise NIRError(
                "the program returns nothing that a node of NIR gives; return spikes, or end in LI"
            )
        names = []
        for value in results:
            names.append(self._add("output", self._output(value), self._shape(value)))
            self._wanted.append((value, names[-1], None))
        return names

    def _output(self, value: Any) -> Record:
        return Record("Output", {"shape": tuple(self._shape(value))})

    def _connect(self, value: Any, name: str, node: Node | None) -> None:
        """The edges of what enters a node."""
        todo, before = [value], False
        while todo:
            found = todo.pop(0)
            if isinstance(found, Previous):
                found, before = found.output, True
            if isinstance(found, Value) and found in self._same:
                todo += self._same[found]
                continue
            if found in self._membranes:
                fault = f"the membrane of {self._membranes[found]} enters {name}; LI gives membranes"
                raise NIRError(_located(node, fault))
            source = found if isinstance(found, str) else self._names.get(found)
            if source is None:
                raise NIRError(_located(node, "it takes what no step makes"))
            self._join(source, name, before, node)

    def _join(self, a: str, b: str, before: bool, node: Node | None) -> None:
        """One edge, which carries what was a step before if it closes a circle."""
        if before:
            if self._leads(b, a):
                self._backward.add((a, b))
            else:
                shape = self._shapes[a]
                delay = number(self._clock.dt).expand(shape).contiguous()
                late = self._add(f"{a}.delay", Record("Delay", {"delay": delay}), shape)
                self.graph.edges.append((a, late))
                a = late
        if (a, b) in self.graph.edges:
            raise NIRError(_located(node, f"{a} is added to itself; multiply it by 2"))
        self.graph.edges.append((a, b))

    def _leads(self, start: str, end: str) -> bool:
        """Whether a value on its way through the network comes from one node to another."""
        seen, todo = {start}, [start]
        wanted = [(v, n) for v, n, _ in self._wanted]
        after: dict[str, set[str]] = {}
        for a, b in self.graph.edges:
            after.setdefault(a, set()).add(b)
        for value, name in wanted:
            for source in self._sources(value):
                after.setdefault(source, set()).add(name)
        while todo:
            for name in after.get(todo.pop(), ()):
                if name not in seen:
                    seen.add(name)
                    todo.append(name)
        return end in seen

    def _sources(self, value: Any) -> list[str]:
        """The nodes that make a value in the same step."""
        if isinstance(value, str):
            return [value]
        if isinstance(value, Previous):
            return []
        if value in self._same:
            return [name for x in self._same[value] for name in self._sources(x)]
        return [self._names[value]] if value in self._names else []

    def _expect_order(self) -> None:
        """Checks that a reader finds the same edges to carry what was a step before."""
        order = arrange(self.graph.nodes, self.graph.edges, ["input"])
        for a, b in order.backward ^ self._backward:
            raise NIRError(
                f"{a} feeds {b} in a circle, and NIR does not say which of its edges is one step "
                "late; delay it by SynapticDelay"
            )


def record_of_linear(neuron: LinearLeaky, clock: Clock) -> Record:
    """The node of the layer inside of a `LinearLeaky`."""
    record = record_of(neuron.linear, Size((neuron.linear.in_features,)), clock)
    assert record is not None
    return record


def _located(node: Node | None, fault: str) -> str:
    """A fault with the module and the line that it concerns."""
    if node is None:
        return f"output: {fault}"
    where = f" ({node.line})" if node.line else ""
    return f"{node.name}{where}: {fault}"


def _without_dots(graph: GraphRecord) -> GraphRecord:
    names = {name: name.replace(".", "_") for name in graph.nodes}
    return GraphRecord(
        {names[name]: node for name, node in graph.nodes.items()},
        [(names[a], names[b]) for a, b in graph.edges],
    )
