"""The smooth twin of a surrogate: the function that finite differences can see."""

from dataclasses import fields, replace

import torch

from bitspike import surrogate


def numbers_of(kind):
    """The names of what `Learnable` makes parameters of."""
    values = {field.name: getattr(kind, field.name) for field in fields(kind)}
    return [name for name, value in values.items() if type(value) in (int, float)]


class Smooth(torch.autograd.Function):
    """The primitive forward; backward, what the surrogate, learnable if it gets numbers, returns.

    Finite differences of the one agree with the other only if the surrogate's gradients, for its
    input and for its numbers, are those of its primitive.
    """

    @staticmethod
    def forward(ctx, x, kind, *numbers):
        ctx.kind = kind
        ctx.save_for_backward(x, *numbers)
        return replace(kind, **dict(zip(numbers_of(kind), numbers, strict=False))).primitive(x)

    @staticmethod
    def backward(ctx, grad):
        x, *numbers = (value.detach().requires_grad_() for value in ctx.saved_tensors)
        with torch.enable_grad():
            if numbers:
                values = dict(zip(numbers_of(ctx.kind), numbers, strict=True))
                learnable = surrogate.Learnable(ctx.kind)
                spikes = torch.func.functional_call(learnable, values, (x,))
            else:
                spikes = ctx.kind(x)
        to_x, *to_numbers = torch.autograd.grad(spikes, [x, *numbers], grad)
        return to_x, None, *to_numbers
