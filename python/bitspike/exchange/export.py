"""Single steps of networks as programs of torch's own operators, for what runs those: ONNX, say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.utils import _pytree as pytree

from bitspike.arguments import as_tensor, with_values
from bitspike.graph import Graph, GraphError, Node, capture
from bitspike.spikes.tensor import SpikeTensor
from bitspike.state import HiddenState, states_put_back

from .steps import is_rest


@dataclass(frozen=True)
class _Kept:
    """A state that a step leaves to a module."""

    module: HiddenState
    index: int
    """Which of its states it is."""
    before: Tensor
    """The state before the first step."""

    def read(self) -> Tensor:
        """What the module holds."""
        return self.module._kept()[self.index]

    def write(self, state: Tensor) -> None:
        """Puts a state in its place."""
        states = self.module._kept()
        states[self.index] = state
        self.module._keep(None, tuple(states), detached=False)


class _Step(nn.Module):
    """A step whose hidden states are its last argument and its last result."""

    def __init__(self, net: nn.Module, kept: dict[str, _Kept]) -> None:
        super().__init__()
        self.net = net
        self.kept = kept
        self.stateful = [x for x in net.modules() if isinstance(x, HiddenState)]

    def forward(self, *args: Any) -> Any:
        with states_put_back(self.stateful):
            if not self.kept:
                return self.net(*args)
            *given, states = args
            for name, kept in self.kept.items():
                kept.write(states[name])
            result = self.net(*given)
            return result, {name: kept.read() for name, kept in self.kept.items()}


def export_step(
    net: nn.Module, sample: Tensor | tuple[Tensor, ...], *, dynamic_batch: bool = True
) -> ExportedProgram:
    """A single step of a network as an exported program, whose states are arguments and results.

    The program consists of ATen operators alone, and runs without this package: with AOTInductor,
    ExecuTorch or, by `export_onnx`, ONNX Runtime. Its spikes have the bits of the network's own
    steps where products have the same bits, which are those of ``DenseSpikes.packs = False``.

    States that neurons keep (``init_hidden=True``), and histories of delays, become a dict:
    ``program.module()(x, states)`` returns the result of the network and the states after the step.
    They are named after the path of the module, ``1.mem`` say. A step that takes and returns its
    states itself keeps its arguments and results. ``program.example_inputs`` holds the states
    before the first step.

    Args:
        net: A network whose call is one step, in eval mode.
        sample: What it is called with: a tensor ``[B, *]``, or a tuple of all its arguments, states
            among them.
        dynamic_batch: Whether the program takes any batch, or only that of the sample.

    Raises:
        TypeError: if ``net`` is no ``nn.Module``, or an argument no tensor.
        ValueError: if the sample has no batch, or an empty one.
        GraphError: for a network that cannot be captured (:func:`bitspike.graph.capture`), or is no
            step: its neurons take whole sequences or start at rest in every call, or it draws
            random numbers, changes buffers, keeps tensors of its own; with the line and the reason.
            Also if it takes only the batch of the sample, and not any.

    Example:
        >>> import torch, bitspike as snn
        >>> program = snn.export_step(snn.Leaky(beta=0.5, init_hidden=True), torch.zeros(1, 1))
        >>> (_, states), _ = program.example_inputs
        >>> for _ in range(3):
        ...     spikes, states = program.module()(torch.tensor([[0.75]]), states)
        ...     print(spikes.item(), states["Leaky.mem"].item())
        0.0 0.75
        1.0 1.125
        0.0 0.3125
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be an nn.Module, not {type(net).__name__}")
    given = _arguments(sample)
    # What torch.export sees at a batch of 1 it takes for a number that is always 1.
    seen = _repeated(given) if dynamic_batch and len(given[0]) == 1 else given
    with torch.no_grad():
        step, args = _with_states(net, seen)
        shapes = {"args": _axes_of_any_size(*args)} if dynamic_batch else None
        try:
            program = torch.export.export(step, args, dynamic_shapes=shapes, strict=False)
        except torch._dynamo.exc.UserError as error:
            raise GraphError(
                f"torch.export refuses {type(net).__name__}; sizes of the batch must come from "
                f"x.shape, unless dynamic_batch=False: {error}"
            ) from error
        if seen is not given:
            program.example_inputs = _with_states(net, given)[1], {}
    return program


def export_onnx(
    net: nn.Module,
    sample: Tensor | tuple[Tensor, ...],
    path: str | Path,
    *,
    dynamic_batch: bool = True,
) -> None:
    """Writes a single step of a network as an ONNX model, whose states are inputs and outputs.

    The inputs are called ``x``, or ``x0, x1, ...`` if the step has several arguments, and after the
    states; the outputs ``y``, or ``y0, y1, ...``, and after the states with ``.next`` behind. The
    states before the first step are zeros for most neurons; `export_step` tells all of them.

    Under ONNX Runtime, neurons of multiplications and additions alone have the bits that they have
    here. Its products add in an order of their own, and its exponentials are others.

    Args:
        net: As for `export_step`.
        sample: Likewise.
        path: Where the model goes.
        dynamic_batch: As for `export_step`.

    Raises:
        ImportError: without the packages of ``pip install "bitspike[onnx]"``.
        TypeError: as `export_step`.
        ValueError: likewise.
        GraphError: likewise.

    Example:
        >>> import numpy, onnxruntime, torch, bitspike as snn, tempfile
        >>> path = tempfile.mkdtemp() + "/step.onnx"
        >>> snn.export_onnx(snn.Leaky(beta=0.5, init_hidden=True), torch.zeros(1, 1), path)
        >>> model = onnxruntime.InferenceSession(path)
        >>> x, mem = numpy.array([[[1.5]], [[0.0]]], dtype="float32")
        >>> spikes, mem = model.run(["y", "Leaky.mem.next"], {"x": x, "Leaky.mem": mem})
        >>> spikes.item(), mem.item()
        (1.0, 1.5)
    """
    try:
        import_module("onnxscript")
    except ImportError as error:
        raise ImportError('export_onnx needs onnxscript: pip install "bitspike[onnx]"') from error
    program = export_step(net, sample, dynamic_batch=dynamic_batch)
    *args, last = program.example_inputs[0]
    states = list(last) if isinstance(last, dict) else []
    results = len(program.graph_signature.user_outputs) - len(states)
    torch.onnx.export(
        program,
        f=path,
        dynamo=True,
        external_data=False,
        input_names=[*_numbered("x", len(args) + (not states)), *states],
        output_names=[*_numbered("y", results), *(f"{name}.next" for name in states)],
        verbose=False,
    )


def _numbered(name: str, count: int) -> list[str]:
    """So many names."""
    return [name] if count == 1 else [f"{name}{i}" for i in range(count)]


def _arguments(sample: Any) -> tuple[Tensor, ...]:
    """The arguments of a step, dense."""
    several = isinstance(sample, tuple)
    args = []
    for i, x in enumerate(sample if several else (sample,)):
        name = f"sample[{i}]" if several else "sample"
        x = with_values(as_tensor(x, name), name)
        args.append(x.dense() if isinstance(x, SpikeTensor) else x)
    if not args or not args[0].dim() or not len(args[0]):
        found = tuple(args[0].shape) if args else "()"
        raise ValueError(f"sample must be one step [B, *] of at least one sample, not {found}")
    return tuple(args)


def _axes_of_any_size(x: Tensor, *others: Any) -> tuple[Any, ...]:
    """Which axes may be the batch: the first of ``x``, and those of its size in states.

    ``torch.export`` finds out whether they are.
    """
    batch = len(x)

    def axes(other: Tensor) -> list[Any]:
        return [Dim.AUTO if size == batch else Dim.STATIC for size in other.shape]

    return {0: Dim.DYNAMIC}, *pytree.tree_map(axes, others)


def _repeated(args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Arguments for a batch of 1 for one of 2."""
    return tuple(torch.cat([x, x]) if x.dim() and len(x) == 1 else x for x in args)


def _with_states(net: nn.Module, args: tuple[Tensor, ...]) -> tuple[_Step, tuple[Any, ...]]:
    """A network as a step, and what it is called with before the first one."""
    kept = dict(_kept_states(capture(net, *args), args[0].device))
    states = {name: x.before for name, x in kept.items()}
    return _Step(net, kept), (*args, states) if kept else args


def _kept_states(graph: Graph, device: torch.device) -> Iterator[tuple[str, _Kept]]:
    """The states that a step leaves to its modules, by name.

    Raises:
        GraphError: for what is no step.
    """
    for owner, name, _ in graph.sets:
        path = f"{graph.modules[owner]}.{name}".strip(".")
        raise GraphError(f"{path} is kept between calls; take it as an argument, and return it")
    called: set[HiddenState] = set()
    for node in graph.nodes:
        _expect_step(node)
        module = node.stateful
        if module is None or node.target is not module or module in called:
            continue
        called.add(module)
        for i, (given, state) in enumerate(zip(node.given, node.states, strict=True)):
            if given is None and state.shape.numel():
                before = module._at_rest(i, state.shape, state.dtype, device)
                yield f"{node.name}.{module.STATES[i]}", _Kept(module, i, before)


def _expect_step(node: Node) -> None:
    """Refuses a call that no step of a network makes.

    Raises:
        GraphError: with the reason.
    """
    module, reason = node.module, ""
    if node.draws:
        reason = "draws random numbers (dropout: call eval() first)"
    elif node.writes:
        reason = "changes its buffers (batch normalisation: call eval() first)"
    elif getattr(module, "multi_step", False) or not getattr(module, "step_mode", True):
        reason = "takes whole sequences, and not single steps"
    elif node.stateful is None and module is not None and _holds_states(module):
        reason = "is one call, in which the states of its neurons are not seen"
    elif node.stateful is not None and _starts_at_rest(node):
        reason = "starts at rest in every call; pass its states, or let it keep them (init_hidden)"
    if reason:
        raise GraphError(f"{node.name} {reason}", node.line)


def _holds_states(module: nn.Module) -> bool:
    """Whether parts of a module keep states between calls."""
    return any(isinstance(part, HiddenState) for part in module.modules())


def _starts_at_rest(node: Node) -> bool:
    """Whether a call resets a module with hidden state, or is of one that has just been reset."""
    if node.target is not node.module:
        return node.name.endswith(".reset_mem")
    return any(x is not None and is_rest(x) for x in node.given)
