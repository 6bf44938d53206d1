"""What tests of published firing patterns share."""

import torch

from helpers.compare import dense


def spike_times(neuron, current: torch.Tensor) -> list[torch.Tensor]:
    """The times of the spikes of each neuron that answers to currents ``[T, N]``, in ms."""
    spikes = dense(neuron(current)[0])
    return [train.nonzero().squeeze(1) * neuron.dt for train in spikes.unbind(1)]


def constant(duration: float, dt: float, *currents: float) -> torch.Tensor:
    """Currents ``[T, N]`` that last for a time in ms."""
    return torch.tensor(currents).expand(round(duration / dt), -1)


def trace(neuron, currents, *initial):
    """Spikes and states of single steps of one neuron, as lists of numbers."""
    states = [torch.tensor([float(x)]) for x in initial]
    spikes, history = [], []
    for current in currents:
        spike, *states = neuron(torch.tensor([float(current)]), *states)
        spikes.append(spike.item())
        history.append([x.item() for x in states])
    return spikes, history
