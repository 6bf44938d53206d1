"""The ops of feature maps in a network file: convolutions, pools, borders."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from bitspike.graph import GraphError, Node


def conv(described: Any, node: Node, module: Any, x: str) -> dict[str, Any]:
    """The op of a convolution."""
    if module.padding_mode != "zeros" or isinstance(module.padding, str):
        raise GraphError(f"{node.name} has padding that a network file has no word for", node.line)
    return {
        "op": f"conv{len(module.kernel_size)}d",
        "in": x,
        **described.weights(node.name, module),
        "stride": list(module.stride),
        "padding": list(module.padding),
        "dilation": list(module.dilation),
        "groups": module.groups,
    }


def pool(described: Any, node: Node, module: Any, x: str) -> dict[str, Any]:
    """The op of a pool, behind that of its border if it has one."""
    axes = len(node.outputs[0].shape) - described.leading - 1
    kernel, stride, padding = (
        list(size) if isinstance(size, tuple) else [size] * axes
        for size in (module.kernel_size, module.stride, module.padding)
    )
    plain = not module.ceil_mode and getattr(module, "divisor_override", None) is None
    largest = isinstance(module, nn.MaxPool1d | nn.MaxPool2d)
    spikes = described.kinds[x] == "spikes"
    if largest:
        plain = plain and not module.return_indices and module.dilation in (1, (1,) * axes)
    elif any(padding):
        plain = plain and module.count_include_pad
    if not plain:
        raise GraphError(f"{node.name}, {module}, has no op in a network file", node.line)
    op = ("orpool" if spikes else "maxpool") if largest else "avgpool"
    if any(padding):
        x = _padded(described, node, x, padding, -math.inf if op == "maxpool" else 0.0)
    return {"op": op, "in": x, "kernel": kernel, "stride": stride}


def border(
    described: Any, node: Node, x: str, pad: Any, mode: str = "constant", value: float | None = None
) -> dict[str, Any]:
    """The op of ``F.pad``; the last arguments are those of torch."""
    axes = len(node.outputs[0].shape) - described.leading - 1
    sides = list(reversed(pad[::2])), list(reversed(pad[1::2]))
    if mode != "constant" or sides[0] != sides[1] or len(sides[0]) != axes:
        raise GraphError(f"{node.name} makes no border that is alike on both sides", node.line)
    number = described.number(f"{described.fresh(node.name)}.value", torch.tensor([value or 0.0]))
    return {"op": "pad", "in": x, "padding": sides[0], "value": number}


def _padded(described: Any, node: Node, x: str, padding: list[int], border: float) -> str:
    """Feature maps amid a border."""
    out: str = described.fresh(f"{node.name}.padded")
    value = described.number(f"{out}.value", torch.tensor([border]))
    described.add(
        {"op": "pad", "in": x, "out": out, "padding": padding, "value": value}, described.kinds[x]
    )
    return out
