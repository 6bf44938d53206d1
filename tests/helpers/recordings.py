"""Recordings that the tests of losses share."""

import torch
from torch import Tensor

T, B, C = 11, 4, 6


def spikes(density: float = 0.3, shape: tuple[int, ...] = (T, B, C), seed: int = 0) -> Tensor:
    """Zeros and ones ``[T, B, C]``."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape, generator=generator) < density).float()


def membranes(seed: int = 0) -> Tensor:
    """Numbers ``[T, B, C]``."""
    return torch.randn(T, B, C, generator=torch.Generator().manual_seed(seed))


LABELS = torch.tensor([1, 0, 5, 1])
WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 0.25, 3.0, 1.5])


def loss_and_gradient(loss, recording: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """What a loss returns, and the gradient of its sum with respect to the recording."""
    x = recording.clone().requires_grad_()
    value = loss(x, targets)
    value.sum().backward()
    return value.detach(), x.grad
