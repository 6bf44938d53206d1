"""The products of a network alone, on floats and without a neuron: what dense layers cost."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nets import Start


class Product(NamedTuple):
    """A layer, what arrives at it, and what comes back to its output."""

    layer: nn.Module
    x: Tensor
    grad: Tensor
    wanted: list[Tensor]


def dense_products(
    start: Start, train: bool, layout: torch.memory_format, dtype: torch.dtype = torch.float32
) -> Callable[[], None]:
    """Forward, and for training the gradients of weights and, but for the first layer, of inputs.

    With ``torch.bfloat16`` it runs under autocast. No optimiser is included.
    """
    modules = start.modules(nn.Identity)
    layers = [module for module in modules if hasattr(module, "weight")]
    products = []
    for i, (layer, x) in enumerate(zip(layers, start.arriving, strict=True)):
        if x.dim() == 4:
            layer, x = layer.to(memory_format=layout), x.contiguous(memory_format=layout)
        x = x.detach().clone().requires_grad_(train and i > 0)
        wanted = [*layer.parameters(), *([x] if i else [])]
        with torch.no_grad():
            grad = torch.randn_like(layer(x)).to(dtype)
        products.append(Product(layer, x, grad, wanted))

    def step() -> None:
        with torch.set_grad_enabled(train):
            for layer, x, grad, wanted in products:
                with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
                    out = layer(x)
                if train:
                    torch.autograd.grad(out, wanted, grad)

    return step
