"""From a program to a list of calls that spikes can stand for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from bitspike.graph import Output, capture
from bitspike.graph.values import leaves

from . import parts
from .errors import ConversionError
from .parts import Model
from .reading import Reader


def lower(model: nn.Module, x: Tensor) -> Model:
    """A model as calls that spikes can stand for, in eval mode, on copies of its layers.

    Batch normalisations are folded into the layers in front of them, and dropouts vanish.

    Args:
        model: Any program that `graph.capture` takes.
        x: A batch ``[B, *]``, for shapes.

    Raises:
        ConversionError: for a call that spikes cannot stand for.
        GraphError: if the program cannot be captured.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be an nn.Module, not {type(model).__name__}")
    with _as_used(model), torch.no_grad():
        graph = capture(model, x)
        outputs = list(leaves(graph.result))
        if len(outputs) != 1 or not isinstance(outputs[0], Output):
            raise ConversionError(graph.name, "a model must return one tensor that it computes")
        reader = Reader(len(x), graph.nodes, outputs[0])
        made = reader.read(graph.inputs[0])
        _rectify_first(made)
        expected = model(x)
        found = made.values(x)[made.output]
    if not torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max())):
        raise ConversionError(
            graph.name, "its calls, one after another, do not compute what the model returns"
        )
    return made


@contextmanager
def _as_used(model: nn.Module) -> Iterator[None]:
    """The model in eval mode, with no module that writes into its input; afterwards as before."""
    modes = {module: module.training for module in model.modules()}
    in_place = [x for x in model.modules() if getattr(x, "inplace", False) is True]
    model.eval()
    for module in in_place:
        module.inplace = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for module in in_place:
            module.inplace = True  # type: ignore[assignment]


def _rectify_first(model: Model) -> None:
    """Puts rectifiers in front of max pools instead of behind them.

    The maximum of rectified values is the rectified maximum, and neurons fire for values alone.
    """
    uses = model.uses()
    for part in model.rectifiers():
        pool = part.sources[0]
        if isinstance(pool.module, parts.MAX_POOLS) and uses[pool] == 1:
            # What reads the rectifier reads the pool from now on: both exchange what they are.
            part.module, pool.module = pool.module, part.module
            part.name, pool.name = pool.name, part.name
            pool.shape = pool.sources[0].shape
