"""Layers of which only the first spikes count."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike.arguments import as_tensor, with_values
from bitspike.decode.recordings import labels

from .event_layer import EventLIF
from .event_tensor import EventTensor


class TTFSLinear(EventLIF):
    r"""Weights and neurons that fire once: times to times, with exact gradients (SpikeProp).

    The neurons are those of `EventLIF`. For :math:`τ_{mem} = τ_{syn}`, :math:`τ_{mem} = 2 τ_{syn}`
    and :math:`τ_{mem} = ∞` the times have closed forms (Göltz et al., Nature Machine Intelligence
    3, 2021; Mostafa, IEEE TNNLS 29, 2018); the layer finds the same times for any constants.

    .. math::

        \frac{∂t}{∂w_j} = -\frac{k(t - t_j)}{\dot V} \qquad
        \frac{∂t}{∂t_j} = \frac{w_j \dot k(t - t_j)}{\dot V}

    with the response :math:`k` of the membrane to a spike of weight 1. A neuron that does not fire
    has no gradient.

    Shapes:
        * input: times ``[B, in_features]``, infinite for an input that is silent
        * output: times ``[B, out_features]``, float64, infinite for a neuron that is silent

    Example:
        >>> import torch
        >>> from bitspike.learning.exact import TTFSLinear
        >>> layer = TTFSLinear(3, 1, tau_mem=5.0, tau_syn=5.0)
        >>> layer.weight.data = torch.tensor([[1.6, 1.4, 1.9]], dtype=torch.float64)
        >>> layer(torch.tensor([[0.0, 1.0, 2.5]])).item()
        2.8546...
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        tau_mem: float,
        tau_syn: float,
        threshold: float = 1.0,
        until: float = math.inf,
    ) -> None:
        constants: dict[str, Any] = {"tau_mem": tau_mem, "tau_syn": tau_syn}
        constants |= {"threshold": threshold, "until": until, "max_spikes": 1}
        super().__init__(in_features, out_features, **constants)

    def forward(self, times: Tensor) -> Tensor:  # type: ignore[override]
        """When each neuron fires.

        Raises:
            ValueError: if the times are not ``[B, in_features]``, or one is NaN.
        """
        fired = super().forward(EventTensor.from_times(times))
        return fired.first()

    @torch.no_grad()
    def rouse(self, times: Tensor, *, at_least: float = 0.9, by: float = 0.02) -> None:
        """Raises the weights of neurons that are silent in too many samples.

        What does not fire has no gradient, and no step of an optimiser brings it back. Göltz et al.
        raise weights in the same way while they train.

        Args:
            times: What the layer returned for a batch, ``[B, out_features]``.
            at_least: The share of samples in which a neuron should fire.
            by: How much is added to each weight of one that does not, as a share of the weights
                that it started with.

        Raises:
            ValueError: if the times are not ``[B, out_features]``.

        Example:
            >>> import torch
            >>> from bitspike.learning.exact import TTFSLinear
            >>> layer = TTFSLinear(3, 1, tau_mem=5.0, tau_syn=5.0)
            >>> layer.weight.data.zero_()
            tensor([[0., 0., 0.]])
            >>> layer.rouse(layer(torch.zeros(1, 3)), by=0.5)
            >>> layer.weight.data
            tensor([[1.1771, 1.1771, 1.1771]])
        """
        times = with_values(as_tensor(times, "times"), "times")
        if times.dim() != 2 or times.shape[1] != self.out_features:
            shape = tuple(times.shape)
            raise ValueError(f"times must be [B, {self.out_features}], got a shape of {shape}")
        fires = (times < math.inf).double().mean(0) >= at_least
        self.weight.add_(torch.where(fires, 0.0, by * self._scale())[:, None])


class FirstSpikeLoss(nn.Module):
    r"""Cross entropy of first spikes: the neuron of the label is to be the first, and early.

    .. math::

        L = -\log \mathrm{softmax}(-t / τ_0)_y + α (e^{t_y / τ_1} - 1)

    (Göltz et al., Nature Machine Intelligence 3, 2021), averaged over samples. Neurons that are
    silent count as firing at ``until``, without a gradient.

    Args:
        tau_0: How much earlier the right neuron should be; 0.4 ``tau_syn`` is usual.
        tau_1: Scale of the price of late spikes; 2 ``tau_syn`` is usual.
        until: When silent neurons count as firing.
        alpha: Price of late spikes.

    Example:
        >>> import torch
        >>> from bitspike.learning.exact import FirstSpikeLoss
        >>> loss = FirstSpikeLoss(2.0, 10.0, until=30.0)
        >>> times = torch.tensor([[4.0, 6.0, torch.inf]])
        >>> loss(times, torch.tensor([0])) < loss(times, torch.tensor([1]))
        tensor(True)
    """

    def __init__(self, tau_0: float, tau_1: float, *, until: float, alpha: float = 0.01) -> None:
        super().__init__()
        self.tau_0, self.tau_1, self.until, self.alpha = tau_0, tau_1, until, alpha

    def forward(self, times: Tensor, targets: Tensor) -> Tensor:
        """The loss, for times ``[B, classes]`` and labels ``[B]``.

        Raises:
            ValueError: if the times have other axes, or the labels are not one for each sample.
        """
        times = as_tensor(times, "times")
        if times.dim() != 2:
            raise ValueError(f"times must be [B, classes], got a shape of {tuple(times.shape)}")
        index = labels(targets, len(times), times.device)
        times = torch.where(times < self.until, times.double(), self.until)
        late = (times.gather(1, index[:, None]) / self.tau_1).exp() - 1
        return F.cross_entropy(-times / self.tau_0, index) + self.alpha * late.mean()
