"""Graphs and files of NIR as networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Size, Tensor, nn

from . import file
from .clock import Clock
from .errors import NIRError
from .gains import move_gains
from .layers import layer_of
from .network import Network
from .neurons import narrow, neuron_of, recurrent_of
from .nodes import FIRING, INTEGRATORS, equation_of_node
from .order import arrange
from .patterns import fuse
from .records import GraphRecord, Record, graph_of
from .report import Report
from .shapes import made_of, own_shape
from .wiring import Unit, Wiring, flat

_LAYERS = (
    *("Linear", "Affine", "Conv1d", "Conv2d", "AvgPool2d", "SumPool2d", "Flatten", "Scale"),
    *("Delay", "Input", "Output", "Identity"),
)
_STATES = (*INTEGRATORS, *FIRING, "Delay")


def from_nir(
    graph: Any,
    *,
    dt: float,
    discretization: str = "euler",
    round_delays: bool = False,
    spike_grad: Any = None,
) -> Network:
    """Makes a network of a graph of NIR, or of a file.

    ``LIF``, ``IF``, ``CubaLIF``, ``LI`` and ``I`` become neurons of this package, ``Linear``,
    ``Affine``, ``Conv1d``, ``Conv2d``, ``AvgPool2d``, ``SumPool2d`` and ``Flatten`` layers of
    torch, ``Delay`` a `SynapticDelay`. Integrators with a threshold behind them, and neurons whose
    spikes come back to them alone, become one neuron.

    A file does not say how long a step is, and not every file in which unit: ``dt`` has that of
    the time constants. Edges that close a circle carry what was a step before.

    Args:
        graph: A ``nir.NIRGraph``, or the path of a file. Only a file says whether spikes reset to a
            value or subtract the threshold, as they did before nir 1.0.6.
        dt: How long a step is, in the unit of the time constants; 1 for those that count steps.
        discretization: ``"euler"``, decays of ``1 - dt/τ``, or ``"exact"``, ``exp(-dt/τ)``.
        round_delays: Take delays between steps to the next step.
        spike_grad: The surrogate of the neurons, which NIR does not have.

    Returns:
        The network; ``nir_report`` says what became of each node.

    Raises:
        NIRError: for nodes that have no counterpart here, numbers that no step has, and anything in
            a graph or a file that is not as it must be; with the paths of the nodes.
        ValueError: for a ``dt`` that is not positive, and an unknown discretisation.
        OSError: if a file cannot be opened.
        ImportError: if h5py is needed and missing.

    Example:
        >>> import torch, bitspike as snn
        >>> lif = snn.Leaky(beta=0.9, reset_mechanism="zero", init_hidden=True)
        >>> graph = snn.nir.to_nir(lif, torch.rand(1, 3), dt=1e-3)
        >>> net = snn.nir.from_nir(graph, dt=1e-3)
        >>> print(net.nir_report)
        Leaky: ok: Leaky
        >>> net(torch.rand(5, 4, 3)).shape
        torch.Size([5, 4, 3])
    """
    clock = Clock.of(dt, discretization)
    report = Report()
    with torch.device("cpu"):
        wiring = _understood(_loaded(graph), clock, round_delays, report)
        report.expect_none_refused()
        return _built(wiring, report, spike_grad)


def check(graph: Any, *, dt: float, discretization: str = "euler") -> Report:
    """Says what `from_nir` would make of each node, and what it would refuse.

    Args:
        graph: A ``nir.NIRGraph``, or the path of a file.
        dt: As for `from_nir`.
        discretization: Likewise.

    Raises:
        NIRError: if it is no graph at all, or a file that cannot be read.
        ValueError: as `from_nir`.
        OSError: if a file cannot be opened.
        ImportError: if h5py is needed and missing.

    Example:
        >>> import torch, bitspike as snn
        >>> lif = snn.Leaky(beta=0.9, reset_mechanism="zero", init_hidden=True)
        >>> graph = snn.nir.to_nir(lif, torch.rand(1, 3), dt=1e-3)
        >>> print(snn.nir.check(graph, dt=1.0))
        Leaky: refused: tau = 0.00999... is shorter than dt = 1.0, ...
    """
    clock = Clock.of(dt, discretization)
    report = Report()
    with torch.device("cpu"):
        wiring = _understood(_loaded(graph), clock, False, report)
        if not report.refused:
            _built(wiring, report, None)
    return report


def _loaded(graph: Any) -> GraphRecord:
    return file.read(graph) if isinstance(graph, str | Path) else graph_of(graph)


def _understood(graph: GraphRecord, clock: Clock, round_delays: bool, report: Report) -> Wiring:
    """The units of a graph, with equations and shapes; the report has what was refused."""
    wiring = flat(graph, report)
    for name, unit in wiring.units.items():
        try:
            _read(name, unit, clock, round_delays, report)
        except NIRError as error:
            report.refuse(name, str(error))
    if not wiring.of_kind("Input") or not wiring.of_kind("Output"):
        report.refuse("graph", "it needs at least one Input and one Output")
    _expect_ends(wiring, report)
    if report.refused:
        return wiring
    _expect_states(wiring, report)
    _give_shapes(wiring, clock, report)
    if not report.refused:
        fuse(wiring)
        move_gains(wiring, report)
    return wiring


def _read(name: str, unit: Unit, clock: Clock, round_delays: bool, report: Report) -> None:
    """Reads the numbers of a node."""
    record = unit.record
    own = own_shape(record) if record.kind != "Output" else None
    if record.kind in (*INTEGRATORS, *FIRING, "Threshold"):
        unit.equation = equation_of_node(record, clock, unit.subtracts)
    elif record.kind not in _LAYERS:
        raise NIRError(f"there is no counterpart of a node {record.kind!r}; replace it")
    unit.shape = Size(()) if own is None else own
    if record.kind == "Input" and own is None:
        raise NIRError("an Input needs a shape")
    if record.kind == "Delay":
        _read_delay(name, record, clock, round_delays, report)


def _read_delay(
    name: str, record: Record, clock: Clock, round_delays: bool, report: Report
) -> None:
    steps = record.fields["delay"].double() / clock.dt
    whole = steps.round()
    if bool((whole < 0).any()) or bool((whole > 1 << 16).any()):
        raise NIRError("delays must be from 0 to 65536 steps")
    if bool(((steps - whole).abs() > 1e-6 * whole.clamp(min=1)).any()):
        if not round_delays:
            raise NIRError(
                f"a delay of {float(steps.flatten()[0]):.6g} steps is no whole number of them; "
                "pass another dt, or round_delays=True"
            )
        report.change(name, "delays are rounded to whole steps")
    by_channel = whole.reshape(len(whole), -1) if whole.dim() > 1 else whole.view(-1, 1)
    uniform = bool((whole == whole.flatten()[:1]).all())
    if not uniform and bool((by_channel != by_channel[:, :1]).any()):
        raise NIRError("delays differ within a channel, and SynapticDelay has one for each channel")
    record.fields["steps"] = whole.float()


def _expect_ends(wiring: Wiring, report: Report) -> None:
    """Checks that inputs come from nowhere, outputs go nowhere, and others are fed."""
    for name, unit in wiring.units.items():
        kind = unit.record.kind
        if kind == "Input" and wiring.before[name]:
            report.refuse(name, f"an Input is fed by {wiring.before[name][0]}")
        elif kind == "Output" and wiring.after[name]:
            report.refuse(name, f"an Output feeds {wiring.after[name][0]}")
        elif kind != "Input" and not wiring.before[name]:
            report.refuse(name, "nothing feeds it; add an Input and an edge")


def _expect_states(wiring: Wiring, report: Report) -> None:
    """Checks that every circle has a state, without which a step has no beginning."""
    stateless = [n for n, unit in wiring.units.items() if unit.record.kind not in _STATES]
    inside = set(stateless)
    edges = [(a, b) for a, b in wiring.edges if a in inside and b in inside]
    for a, b in arrange(stateless, edges, ()).backward:
        report.refuse(b, f"{a} leads back to it without a neuron or a Delay between; add a Delay")


def _give_shapes(wiring: Wiring, clock: Clock, report: Report) -> None:
    """Gives each unit the shape of what it takes and makes, from the inputs on."""
    order = arrange(wiring.units, wiring.edges, wiring.of_kind("Input"))
    known: dict[str, Size] = {}
    for name in (name for group in order.groups for name in group):
        unit = wiring.units[name]
        given = [known[a] for a in wiring.before[name] if a in known]
        if unit.record.kind == "Input":
            known[name] = unit.shape
            continue
        unit.takes = given[0] if given else unit.shape
        if any(shape != unit.takes for shape in given):
            report.refuse(name, f"it is given different shapes, {[list(x) for x in given]}")
        try:
            unit.shape = known[name] = _made(name, unit, clock, report)
        except NIRError as error:
            report.refuse(name, str(error))
            return
    for a, b in order.backward:
        if known[a] != wiring.units[b].takes:
            report.refuse(b, f"{a} leads back to it with shape {list(known[a])}")


def _made(name: str, unit: Unit, clock: Clock, report: Report) -> Size:
    record = unit.record
    if record.kind != "Output":
        return made_of(record, unit.takes, clock)
    declared = own_shape(record)
    if declared is not None and declared != unit.takes:
        report.change(name, f"declared {list(declared)}, and given {list(unit.takes)}")
    return unit.takes


def _built(wiring: Wiring, report: Report, spike_grad: Any) -> Network:
    """The network of units that are understood."""
    layers, shapes = {}, {}
    for name, unit in wiring.units.items():
        shapes[name] = unit.shape
        if unit.record.kind in ("Input", "Output", "Identity"):
            continue
        layers[name] = _layer(name, unit, report, spike_grad)
    inputs, outputs = wiring.of_kind("Input"), wiring.of_kind("Output")
    return Network(layers, wiring.edges, shapes, inputs=inputs, outputs=outputs, report=report)


def _layer(name: str, unit: Unit, report: Report, spike_grad: Any) -> nn.Module:
    equation, record = unit.equation, unit.record
    if equation is None:
        layer = _stateless(unit)
        _note_rounding(name, record, report)
    elif unit.recurrent is not None:
        connection = layer_of(unit.recurrent)
        layer = recurrent_of(equation, unit.shape, connection, spike_grad)
    else:
        layer = neuron_of(equation, unit.wanted, spike_grad)
    report.keep(name, type(layer).__name__)
    return layer


def _stateless(unit: Unit) -> nn.Module:
    record = unit.record
    if record.kind != "Scale":
        return layer_of(record)
    fields = {name: narrow(x) for name, x in record.fields.items() if isinstance(x, Tensor)}
    if "current" in fields and not bool((fields["current"] != 0).any()):
        del fields["current"]
    return layer_of(Record("Scale", fields))


def _note_rounding(name: str, record: Record, report: Report) -> None:
    for key, x in record.fields.items():
        if isinstance(x, Tensor) and x.dtype is torch.float64 and key in ("weight", "bias"):
            if bool((x.float().double() != x).any()):
                report.change(name, f"{key} is rounded to float32")
