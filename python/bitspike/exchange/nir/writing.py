"""Networks of ours as graphs of NIR."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, expect_choice, with_values
from bitspike.graph import capture

from ..steps import step_of
from .clock import Clock
from .errors import NIRError
from .package import as_nir, has_reset_value, package, unchecked
from .writer import RESETS, Options, Writer


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
        compat: ``"nirtorch"`` refuses what nirtorch 2.6 cannot run, several outputs.

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
    expect_choice("compat", "nirtorch" if compat is None else compat, ("nirtorch",))
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
    with torch.no_grad(), torch.device("cpu"):
        writer = Writer(step, clock, Options(reset, nudge_threshold))
        if compat is not None and len(writer.outputs) > 1:
            raise NIRError("nirtorch runs graphs with one output; return one tensor")
        graph = writer.graph
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
