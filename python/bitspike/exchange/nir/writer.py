"""The calls of a step as nodes of NIR."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Size, Tensor, nn

from bitspike.graph import Attribute, Constant, Node, Output, Value
from bitspike.graph.values import leaves
from bitspike.layers.folding import folded
from bitspike.neurons import CuBaLIF, LinearLeaky, RefractoryLeaky
from bitspike.neurons.base.neuron import SpikingNeuron
from bitspike.neurons.base.never_reset import NeverReset
from bitspike.neurons.base.recurrent import OneToOne, Recurrent

from ..functions import ADDS, DROPOUTS, MULTIPLIES, PASSES, POOLS, RESHAPES
from ..steps import Previous, Step
from .clock import Clock
from .draft import Draft, ending, located
from .equation import Equation, number
from .errors import NIRError
from .layers import flattened, record_of, scaled
from .neurons import equation_of
from .nodes import Assembly, assembly
from .package import has_reset_value
from .records import GraphRecord, Record
from .report import Report

RESETS = ("error", "graph", "hard", "nir104")
_TAKES = {"Linear": "[n]", "Affine": "[n]", "Conv1d": "[C, L]", "Conv2d": "[C, H, W]"}
"""The steps that these nodes take."""


class Options(NamedTuple):
    """What `to_nir` is asked for."""

    reset: str
    nudge_threshold: bool


class Writer:
    """The graph of a step."""

    def __init__(self, step: Step, clock: Clock, options: Options) -> None:
        """Writes it.

        Raises:
            NIRError: for what NIR cannot say.
        """
        self.report = Report()
        self._step, self._clock, self._options = step, clock, options
        self._draft = Draft(step, clock)
        self._called: set[nn.Module] = set()
        taken = [x for _, args, kwargs in step.calls for x in leaves((args, kwargs))]
        self._uses = Counter(x for x in [*taken, *step.results] if isinstance(x, Output))
        for node, args, kwargs in step.calls:
            try:
                self._call(node, args, kwargs)
            except NIRError as error:
                raise NIRError(located(node, str(error))) from None
        self.outputs = self._outputs()
        self._draft.finish()
        self.graph: GraphRecord = self._draft.graph

    def _call(self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        module, draft = node.module, self._draft
        values = [x for x in leaves((args, kwargs)) if isinstance(x, Value | Previous)]
        values = [x for x in values if not isinstance(x, Attribute | Constant)]
        if isinstance(module, SpikingNeuron | NeverReset):
            return self._neuron(node, module, args[0])
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            return self._norm(node, module, values[0])
        out = node.outputs[0]
        if module is None and node.name in ADDS and len(values) == len(args) == 2:
            draft.sums[out] = values
            return None
        if module is not None:
            record = self._layer(module, node, values[0])
        else:
            record = self._function(node, args, kwargs, values)
        if record is None:
            draft.sums[out] = values[:1]
            return None
        draft.makers[out] = name = draft.add(node.name, record, draft.shape(out))
        draft.enter(values[0], name, node)
        self.report.keep(name, record.kind)
        return None

    def _layer(self, module: nn.Module, node: Node, value: Any) -> Record | None:
        """The node of a layer."""
        shape = self._draft.shape(value)
        record = record_of(module, shape, self._clock)
        takes = None if record is None else _TAKES.get(record.kind)
        if takes is not None and len(shape) != takes.count(",") + 1:
            raise NIRError(
                f"NIR's {type(module).__name__} takes steps {takes}, and these are {list(shape)}; "
                "flatten them in front of it"
            )
        for key, x in module.named_parameters():
            if x.dtype is not torch.float32:
                self.report.change(node.name, f"{key} is {x.dtype}, and is read as float32")
        return record

    def _function(
        self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any], values: list[Any]
    ) -> Record | None:
        """The node of a torch function; None for one that changes nothing."""
        name = node.name
        shape = self._draft.shape(node.outputs[0])
        if name in PASSES or (name in DROPOUTS and not node.draws):
            return None
        if name in POOLS and len(values) == 1:
            pool = POOLS[name](*args[1:], **kwargs)
            return record_of(pool, self._draft.shape(values[0]), self._clock)
        if name in RESHAPES and len(values) == len(shape) == 1:
            return flattened(self._draft.shape(values[0]))
        if name in MULTIPLIES and len(args) == 2 and len(values) == 1:
            factor = args[1] if args[0] is values[0] else args[0]
            if isinstance(factor, Attribute):
                factor = factor.read()
            if isinstance(factor, Constant):
                factor = factor.tensor
            if isinstance(factor, int | float | Tensor):
                return scaled(torch.as_tensor(factor).float(), shape)
        raise NIRError(
            f"NIR has no node that computes {name}; there are nodes for sums, products with a "
            "constant, reshapes to one axis and averages of windows"
        )

    def _norm(self, node: Node, module: Any, value: Any) -> None:
        """A normalisation, which goes into the weights in front of it."""
        if module.training or module.running_mean is None:
            raise NIRError("it normalises by the batch, which NIR cannot say; call eval() first")
        draft = self._draft
        front = draft.makers.get(value, "")
        record = draft.graph.nodes.get(front)
        if not isinstance(record, Record) or record.kind not in _TAKES or self._uses[value] != 1:
            raise NIRError(
                "NIR says it in the weights of Linear, Conv1d or Conv2d alone; put such a layer in "
                "front of it that feeds nothing else"
            )
        fields = dict(record.fields)
        bias = fields.get("bias")
        bias = None if bias is None else bias.double()
        both = folded(fields["weight"].double(), bias, copy.deepcopy(module).double())
        fields["weight"], fields["bias"] = (x.detach().float() for x in both)
        kind = "Affine" if record.kind == "Linear" else record.kind
        draft.graph.nodes[front] = replace(record, kind=kind, fields=fields)
        draft.makers[node.outputs[0]] = front
        self.report.change(node.name, f"folded into the weights of {front}")

    def _neuron(self, node: Node, neuron: Any, value: Any) -> None:
        """The nodes of a neuron, and of what belongs to it."""
        if neuron in self._called:
            raise NIRError("it is called more than once in a step, and is one node in NIR")
        self._called.add(neuron)
        draft, path, out = self._draft, node.name, node.outputs[0]
        equation = equation_of(neuron, nudge_threshold=self._options.nudge_threshold)
        shape = draft.shape(out)
        if isinstance(neuron, LinearLeaky):
            record = self._layer(neuron.linear, node, value)
            assert record is not None
            linear = draft.add(f"{path}.linear", record, shape)
            draft.enter(value, linear, node)
            value = linear
        found = self._assembly(path, neuron, equation, shape)
        if isinstance(neuron, Recurrent):
            entry = last = draft.add(path, self._recurrent(neuron, found, shape), shape)
        else:
            entry, last = self._spread(path, found, shape)
        draft.enter(value, entry, node)
        for decay in (equation.alpha, equation.beta):
            if decay is not None and not self._clock.keeps(decay):
                self.report.change(path, "decays below 2^-27 are rounded to multiples of 2^-53")
        self.report.keep(path, " → ".join(x.kind for x in found.nodes.values()))
        draft.makers[out] = self._behind(path, neuron, last, shape)
        if isinstance(neuron, Recurrent):
            draft.makers[node.states[neuron.STATES.index("spk")]] = draft.makers[out]
        for state in {*node.states, *node.outputs} - set(draft.makers):
            draft.membranes[state] = path

    def _assembly(self, path: str, neuron: Any, equation: Equation, shape: Size) -> Assembly:
        """The nodes that compute the equation of a neuron, as the options choose."""
        hints: dict[str, Any] = {}
        if isinstance(neuron, CuBaLIF | RefractoryLeaky):
            hints["neuron"] = type(neuron).__name__
        if equation.threshold is None:
            return assembly(equation, shape, self._clock, hints)
        reset, chosen = equation.reset, self._options.reset
        if equation.delayed == (reset == "zero"):  # what a reader takes for granted is the opposite
            hints["reset_delay"] = equation.delayed
        if reset == "zero":
            self._expect_hard(equation, neuron)
        if reset in ("zero", "none"):
            return assembly(equation, shape, self._clock, hints)
        if chosen == "error":
            raise NIRError(
                f'reset_mechanism={reset!r} is a circle of nodes in NIR: reset="graph" writes it '
                'exactly, reset="hard" makes a reset to zero of it, with other spikes'
            )
        if chosen != "hard" and reset == "subtract" and not equation.delayed:
            self.report.change(
                path,
                "a membrane that its reset leaves above the threshold loses one more threshold here"
                " before it fires, and not in NIR; from_nir reads it as it is here",
            )
        if chosen == "graph":
            return assembly(equation, shape, self._clock, hints)
        hard = replace(equation, reset="zero", delayed=False)
        if chosen == "hard":
            self._expect_hard(hard, neuron)
            self.report.change(path, "spikes reset the membrane to 0 instead of subtracting")
            return assembly(hard, shape, self._clock, {})
        made = assembly(hard, shape, self._clock, hints)
        del made.nodes[""].fields["v_reset"]
        if reset == "subtract" and equation.delayed:
            self.report.change(path, "spikes subtract at once instead of in the next step")
        return made

    def _expect_hard(self, equation: Equation, neuron: Any) -> None:
        """Checks that a node says a reset to a value."""
        if not has_reset_value():
            raise NIRError(
                "nodes of the installed version of nir subtract the threshold; a reset to a value "
                "needs nir 1.0.6 or newer"
            )
        if equation.delayed and (equation.alpha is not None or isinstance(neuron, Recurrent)):
            raise NIRError(
                "reset_mechanism='zero' with reset_delay=True erases what comes in at the step "
                "after a spike, which NIR's reset does not; export with reset_delay=False"
            )

    def _spread(self, path: str, found: Assembly, shape: Size) -> tuple[str, str]:
        """Adds the nodes of a neuron, and returns the first and the last."""
        draft = self._draft
        names = {
            part: draft.add(f"{path}.{part}" if part else path, record, shape)
            for part, record in found.nodes.items()
        }
        for a, b in found.edges:
            draft.join(names[a], names[b], backward=a == "reset")
        return names[found.entry], names[found.exit]

    def _recurrent(self, neuron: Recurrent, found: Assembly, shape: Size) -> GraphRecord:
        """A graph inside the graph: neurons, and what their spikes come back through."""
        connection = neuron.recurrent
        if isinstance(connection, OneToOne):
            back: Record | None = scaled(connection.V, shape)
        else:
            back = record_of(connection, shape, self._clock)
        if back is None:
            raise NIRError("NIR cannot say a connection without weights; use all_to_all=False")
        nodes = {part or "lif": record for part, record in found.nodes.items()}
        entry, last = found.entry or "lif", found.exit or "lif"
        nodes |= {"w_rec": back, "input": ending("Input", shape), "output": ending("Output", shape)}
        own = [("input", entry), (last, "output"), (last, "w_rec"), ("w_rec", entry)]
        return GraphRecord(dict(nodes), [*own, *found.edges])

    def _behind(self, path: str, neuron: Any, last: str, shape: Size) -> str:
        """What follows a neuron as a part of it: a step of delay, and what its spikes count."""
        more = {}
        if getattr(neuron, "order", "") == "fire_first":
            delay = number(self._clock.dt).expand(shape).contiguous()
            more["delay"] = Record("Delay", {"delay": delay})
        if bool((neuron.graded_spikes_factor != 1).any()):
            more["graded"] = scaled(neuron.graded_spikes_factor, shape)
        for part, record in more.items():
            name = self._draft.add(f"{path}_{part}", record, shape)
            self._draft.join(last, name)
            last = name
        return last

    def _outputs(self) -> list[str]:
        """Adds the outputs, and returns their names."""
        draft = self._draft
        results = [x for x in self._step.results if x not in draft.membranes]
        if not results:
            raise NIRError(
                "the program returns nothing that a node of NIR gives; return spikes, or end in LI"
            )
        for value in self._step.results:
            if value in draft.membranes:
                path = draft.membranes[value]
                self.report.change(path, "its membrane is no output, because nodes give spikes")
        names = []
        for value in results:
            shape = draft.shape(value)
            names.append(draft.add("output", ending("Output", shape), shape))
            draft.enter(value, names[-1])
        return names
