"""What estimates of gradients from losses alone share: an optimiser, and its noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.arguments import expect_choice

Closure = Callable[[], Any]
"""Computes a loss, or one for each sample."""


class Perturbation(torch.optim.Optimizer):
    """An optimiser that needs values of the loss and no backward pass.

    Noise is never kept: it comes from a generator of its own, made anew from the seed and the
    number of the direction, which `state_dict` has.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        noise: str,
        directions: int,
        **defaults: float,
    ) -> None:
        expect_choice("noise", noise, ("rademacher", "normal"))
        if directions < 1:
            raise ValueError(f"directions must be 1 or more, not {directions}")
        if not defaults["sigma"] > 0:
            raise ValueError(f"sigma must be positive, not {defaults['sigma']}")
        self.noise = noise
        self.directions = directions
        super().__init__(parameters, {**defaults, "counter": 0})

    def learned(self) -> list[tuple[nn.Parameter, dict[str, Any]]]:
        """The parameters that are learned, each with its group."""
        return [(p, group) for group in self.param_groups for p in group["params"]]

    def next_directions(self) -> range:
        """The numbers of the directions that come next."""
        first = self.param_groups[0]["counter"]
        for group in self.param_groups:
            group["counter"] = first + self.directions
        return range(first, first + self.directions)

    def generator(self, counter: int, device: torch.device) -> torch.Generator:
        # The generator of the CPU reads 32 bits: an odd factor keeps all counters of a seed apart.
        seed = (int(self.param_groups[0]["seed"]) * 2654435769 + counter) % 2**32
        return torch.Generator(device).manual_seed(seed)

    def descend(self) -> None:
        for p, group in self.learned():
            if p.grad is not None:
                p.sub_(p.grad, alpha=group["lr"])

    def estimate(self, closure: Closure) -> float:
        """Adds the estimate to the gradients of the parameters, as ``backward`` does."""
        raise NotImplementedError

    @torch.no_grad()
    def step(self, closure: Closure) -> float:  # type: ignore[override]
        """Estimates the gradient and takes a step of gradient descent along it.

        Args:
            closure: Computes the loss anew, without ``backward``.

        Returns:
            The loss, as `estimate` does.
        """
        self.zero_grad()
        loss = self.estimate(closure)
        self.descend()
        return loss


def draw(noise: str, like: Tensor, generator: torch.Generator) -> Tensor:
    """Noise of mean 0 and variance 1 in the shape and dtype of a tensor."""
    options: Any = {"dtype": like.dtype, "device": like.device}
    if noise == "normal":
        return torch.empty(like.shape, **options).normal_(generator=generator)
    # A number has 32 signs, each of which bernoulli_ would take a number of its own for.
    words = torch.randint(
        -(2**31),
        2**31,
        (-(-like.numel() // 32), 1),
        generator=generator,
        dtype=torch.int32,
        device=like.device,
    )
    places = torch.arange(32, dtype=torch.int32, device=like.device)
    signs = ((words >> places) & 1).flatten()[: like.numel()].to(**options)
    return signs.mul_(2).sub_(1).view(like.shape)
