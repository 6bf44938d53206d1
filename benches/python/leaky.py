"""The leaky integrate-and-fire neuron of each library, with the same numbers."""

from collections.abc import Callable

import snntorch
import torch
from snntorch import surrogate as snntorch_surrogate
from spikingjelly.activation_based import neuron as jelly
from spikingjelly.activation_based import surrogate as jelly_surrogate
from torch import Tensor, nn

import bitspike as snn
from problem import BETA


def bitspike(width: float | None = None) -> nn.Module:
    """Whole sequence in one call, hidden state."""
    shape = snn.surrogate.atan() if width is None else snn.surrogate.triangle(width)
    return snn.Leaky(beta=BETA, spike_grad=shape, init_hidden=True, multi_step=True)


def snntorch_leaky(width: float | None = None) -> nn.Module:
    """One step, whose membrane is returned and taken."""
    return snntorch.Leaky(beta=BETA, spike_grad=_torch_surrogate(width))


def spikingjelly(width: float | None = None) -> nn.Module:
    """Multi-step LIF with soft reset; it fires at ``>=`` and resets in the step of the spike."""
    shape = (
        jelly_surrogate.ATan(alpha=2.0)
        if width is None
        else jelly_surrogate.PiecewiseQuadratic(alpha=1 / width)
    )
    return jelly.LIFNode(
        tau=1 / (1 - BETA),
        decay_input=False,
        v_reset=None,
        detach_reset=True,
        surrogate_function=shape,
        step_mode="m",
    )


class OverTime(nn.Module):
    """A neuron of snnTorch in a loop over ``unbind``, which is much faster than indexing."""

    def __init__(self, width: float | None = None) -> None:
        """Takes the half width of a triangular surrogate, or none for atan."""
        super().__init__()
        self.neuron = snntorch_leaky(width)

    def forward(self, current: Tensor) -> Tensor:
        """Spikes of currents ``[T, *]``."""
        membrane = self.neuron.reset_mem()
        spikes = []
        for step in current.unbind():
            spike, membrane = self.neuron(step, membrane)
            spikes.append(spike)
        return torch.stack(spikes)


class ImmediateReset(nn.Module):
    """SpikingJelly's rule in plain torch: what its result is compared with; never timed."""

    def __init__(self, width: float | None = None) -> None:
        """Takes the half width of a triangular surrogate, or none for atan."""
        super().__init__()
        self.fire = _torch_surrogate(width)

    def forward(self, current: Tensor) -> Tensor:
        """Spikes of currents ``[T, *]``."""
        membrane = torch.zeros_like(current[0])
        spikes = []
        for step in current.unbind():
            membrane = BETA * membrane + step
            spikes.append(self.fire(membrane - 1))
            membrane = membrane - spikes[-1].detach()
        return torch.stack(spikes)


def _torch_surrogate(width: float | None) -> Callable[[Tensor], Tensor]:
    """Of a step in torch: snnTorch has no triangle, so that is ours."""
    return snntorch_surrogate.atan() if width is None else snn.surrogate.triangle(width)
