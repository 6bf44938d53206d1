"""The synapses that rules know: linear layers and convolutions.

A synapse's weight is ``[G, M, N]`` to a rule: ``G`` groups, ``M`` outputs of each, and ``N`` inputs
of each output. At ``L`` positions (of an image, say) it meets inputs ``[B, G, L, N]`` and gives
outputs ``[B, G, M, L]``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv1d_input, conv1d_weight, conv2d_input, conv2d_weight

from bitspike.graph.modules import shaped_as
from bitspike.spikes.tensor import SpikeTensor

SYNAPSES = (nn.Linear, nn.Conv1d, nn.Conv2d)


def refusal(synapse: Any) -> str | None:
    """Why no rule can hold traces of a synapse, or None if it can."""
    if shaped_as(synapse) is not type(synapse):
        return f"{type(synapse).__name__} computes with other weights than those that learn"
    if not all(isinstance(x, nn.Parameter | None) for x in (synapse.weight, synapse.bias)):
        return "its weights are computed from others, as pruning and parametrizations do"
    if isinstance(synapse, nn.Linear):
        return None
    if synapse.padding_mode != "zeros" or isinstance(synapse.padding, str):
        return "its padding is not a number of zeros"
    return None


def weight_gradient(synapse: Any, x: Tensor, grad: Tensor) -> Tensor:
    """The gradient of the weight for an input ``[B, *]`` and a gradient of the output."""
    if isinstance(synapse, nn.Linear):
        return grad.flatten(0, -2).t() @ x.flatten(0, -2)
    kind = conv1d_weight if isinstance(synapse, nn.Conv1d) else conv2d_weight
    result: Tensor = kind(x, synapse.weight.shape, grad, **_options(synapse))
    return result


def input_gradient(synapse: Any, x: Tensor, grad: Tensor) -> Tensor:
    """The gradient of the input ``[B, *]`` or ``[K, B, *]``, of which only the shape counts."""
    weight: Tensor = synapse.weight.detach()
    if isinstance(synapse, nn.Linear):
        return grad @ weight
    if x.dim() > weight.dim():
        flat = input_gradient(synapse, x.flatten(0, 1), grad.flatten(0, 1))
        return torch.unflatten(flat, 0, x.shape[:2])
    kind = conv1d_input if isinstance(synapse, nn.Conv1d) else conv2d_input
    result: Tensor = kind(x.shape, weight, grad, **_options(synapse))
    return result


def _options(synapse: Any) -> dict[str, Any]:
    names = ("stride", "padding", "dilation", "groups")
    return {name: getattr(synapse, name) for name in names}


def bias_gradient(synapse: nn.Module, grad: Tensor) -> Tensor:
    """The gradient of the bias for a gradient of the output ``[B, *]``."""
    axis = -1 if isinstance(synapse, nn.Linear) else 1
    others = [i for i in range(grad.dim()) if i != axis % grad.dim()]
    return grad.sum(others)


def inputs(synapse: Any, x: Tensor) -> Tensor:
    """What each output meets of an input ``[B, *]``: ``[B, G, L, N]``."""
    if isinstance(synapse, nn.Linear):
        return x.reshape(len(x), 1, -1, x.shape[-1])
    if isinstance(synapse, nn.Conv1d):
        x = x.unsqueeze(2)
    kernel, dilation, padding, stride = (
        (default, *option) if len(option) == 1 else option
        for option, default in (
            (synapse.kernel_size, 1),
            (synapse.dilation, 1),
            (synapse.padding, 0),
            (synapse.stride, 1),
        )
    )
    patches = F.unfold(x, kernel, dilation, padding, stride)
    return torch.unflatten(patches, 1, (synapse.groups, -1)).transpose(2, 3)


def outputs(synapse: Any, y: Tensor) -> Tensor:
    """An output ``[B, *]`` as ``[B, G, M, L]``."""
    if isinstance(synapse, nn.Linear):
        return y.reshape(len(y), 1, -1, y.shape[-1]).transpose(2, 3)
    return torch.unflatten(y.flatten(2), 1, (synapse.groups, -1))


def outer(synapse: nn.Module, x: Tensor, post: Tensor) -> Tensor:
    """A matrix for each sample and position, ``Σ_t post[t]·x[t]``: ``[B, G, M, L, N]``.

    Args:
        synapse: Between both.
        x: Its input ``[K, B, *]``.
        post: What multiplies it, of the shape of its output, ``[K, B, *]``.
    """
    steps = len(x)
    x = x.dense() if isinstance(x, SpikeTensor) else x
    before = inputs(synapse, x.flatten(0, 1)).unflatten(0, (steps, -1))
    after = outputs(synapse, post.flatten(0, 1)).unflatten(0, (steps, -1))
    return torch.einsum("kbgml,kbgln->bgmln", after, before)


def contracted(synapse: Any, trace: Tensor, grad: Tensor) -> Tensor:
    """``Σ_b grad·trace`` in the shape of the weight, for what `outer` returns."""
    result = torch.einsum("bgml,bgmln->gmn", outputs(synapse, grad), trace)
    return result.reshape(synapse.weight.shape)
