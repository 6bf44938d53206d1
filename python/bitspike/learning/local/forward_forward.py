"""Layers that learn to tell right data from wrong ones, without a backward pass between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike import utils
from bitspike.analysis.observe import Run
from bitspike.arguments import expect_choice
from bitspike.spikes.tensor import SpikeTensor

from ._inputs import marks, model_input
from ._layers import OnNetwork, cut, hooked, joined, units_of


class ForwardForward(OnNetwork):
    r"""The Forward-Forward algorithm (Hinton 2022): each layer fires for right data only.

    .. math::
        G^l = \sum_i r_i^2, \qquad
        L = \sum_l \log(1 + e^{-(G^l - ϑ)}) \text{ for right data, } \log(1 + e^{G^l - ϑ})
        \text{ for wrong ones}

    with the firing rates ``r`` of layer ``l``; ``goodness="counts"`` takes the sum of spike counts
    for ``G``. Each layer takes its input cut off from the graph and normalised, so that it cannot
    read the goodness of the layer below:

    .. math::
        I^l[t] = \frac{\sqrt n}{‖S^{l-1}[t]‖}\, W^l S^{l-1}[t] + b^l

    which needs no other numbers than those of this step, and leaves spikes packed.

    Classes are told by data that hold their label, right or wrong: `label_input`. `predict` tries
    all labels, and takes the one of the highest goodness of all layers together.

    Args:
        net: A network that calls its layers one after another; every layer learns.
        x: An input as later ones, of one sample or more: it shows the layers and their shapes.
        threshold: ``ϑ``, a number or one for each layer.
        goodness: ``"squares"`` or ``"counts"``.
        run: How to run ``net``, for example `bitspike.unroll`; by default it is called.

    Raises:
        TypeError: if ``net`` is no module.
        ValueError: for another ``goodness``, thresholds of another number than layers, and for a
            network without hidden layer.

    Example:
        >>> import torch, bitspike as snn
        >>> from bitspike.learning import local
        >>> from torch import nn
        >>> neuron = {"beta": 0.9, "init_hidden": True, "multi_step": True}
        >>> net = nn.Sequential(nn.Linear(20, 30), snn.Leaky(**neuron),
        ...                     nn.Linear(30, 30), snn.Leaky(**neuron))
        >>> samples, y = torch.rand(8, 20), torch.arange(8) % 4
        >>> encode = lambda x: x.expand(10, *x.shape)
        >>> model = local.ForwardForward(net, encode(samples))
        >>> optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        >>> right, wrong = (local.label_input(samples, labels, 4) for labels in (y, (y + 1) % 4))
        >>> model.loss(encode(right), encode(wrong)).backward()
        >>> optimizer.step()
        >>> model.predict(samples, 4, encode).shape
        torch.Size([8])
    """

    def __init__(
        self,
        net: nn.Module,
        x: Tensor,
        threshold: float | Sequence[float] = 2.0,
        *,
        goodness: str = "squares",
        run: Run | None = None,
    ) -> None:
        expect_choice("goodness", goodness, ("squares", "counts"))
        super().__init__(net, x, run)
        self._counts = goodness == "counts"
        several = isinstance(threshold, Sequence)
        self.thresholds = (
            tuple(threshold) if isinstance(threshold, Sequence) else (threshold,) * len(self.layers)
        )
        if several and len(self.thresholds) != len(self.layers):
            raise ValueError(
                f"threshold must be a number or one for each of the {len(self.layers)} layers, "
                f"not {len(self.thresholds)} of them"
            )

    def goodness(self, x: Tensor) -> tuple[Tensor, ...]:
        """The goodness ``[B]`` of each layer, for a step or a sequence from the present states."""
        x = model_input(x)
        with (
            hooked(self._synapses, before=cut, after=self._normalised),
            units_of(self.layers) as units,
        ):
            self._run(self.net, x)
        return tuple(
            self._of(joined(calls), len(layer.outputs))
            for layer, calls in zip(self.layers, units, strict=True)
        )

    def _of(self, spikes: Tensor, axes: int) -> Tensor:
        in_time = spikes.dim() > axes + 1
        if self._counts:
            counts = spikes.sum(0) if in_time else spikes
            return counts.flatten(1).sum(1)
        rates = spikes.mean(0) if in_time else spikes
        return rates.flatten(1).square().sum(1)

    def _normalised(self, i: int, x: Tensor, current: Tensor) -> Tensor:
        """The current of an input of norm √n: the layer is linear, so that bits stay bits."""
        if not i:
            return current
        layer = self.layers[i]
        axes = tuple(range(-len(layer.inputs), 0))
        squares = x.sum(axes) if isinstance(x, SpikeTensor) else x.square().sum(axes)
        # Nothing is made of nothing, whatever it is multiplied by.
        norms = squares.to(current.dtype).clamp(min=torch.finfo(current.dtype).tiny).sqrt()
        scale = (math.sqrt(math.prod(layer.inputs)) / norms).where(squares > 0, 1.0)
        scale = scale.view(*scale.shape, *(1,) * len(layer.outputs))
        bias = layer.synapse.bias
        if bias is None:
            return current * scale
        bias = bias.view(-1, *(1,) * (len(layer.outputs) - 1))
        normalised: Tensor = (current - bias) * scale + bias
        return normalised

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The goodness ``[B]`` of each layer."""
        return self.goodness(x)

    def loss(self, positive: Tensor, negative: Tensor) -> Tensor:
        """The losses of all layers together, each a mean over samples.

        Hidden states are reset before each of both.

        Args:
            positive: Right data, as ``net`` takes them.
            negative: Wrong ones.
        """
        total = None
        for name, x, sign in (("positive", positive, -1), ("negative", negative, 1)):
            utils.reset(self.net)
            for goodness, threshold in zip(
                self.goodness(model_input(x, name)), self.thresholds, strict=True
            ):
                loss = F.softplus(sign * (goodness - threshold)).mean()
                total = loss if total is None else total + loss
        assert total is not None  # there are layers
        return total

    @torch.no_grad()
    def predict(
        self, samples: Tensor, classes: int, encode: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """The labels ``[B]`` with which the goodness of all layers together is the highest.

        Args:
            samples: ``[B, *]``, as for `label_input`.
            classes: How many labels there are.
            encode: Makes the input of ``net`` of labelled samples; by default they are it.
        """
        samples = model_input(samples, "samples")
        scores = []
        for label in range(classes):
            labels = torch.full((len(samples),), label, device=samples.device)
            x = label_input(samples, labels, classes)
            utils.reset(self.net)
            scores.append(sum(self.goodness(x if encode is None else encode(x))))
        return torch.stack(scores).argmax(0)  # type: ignore[arg-type]


def label_input(samples: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Samples whose first ``classes`` numbers are their label: 1 at its place, and 0 elsewhere.

    Args:
        samples: ``[B, *]``, from 0 to 1, before they are encoded as spikes.
        labels: ``[B]``, from 0 on.
        classes: How many labels there are.

    Raises:
        ValueError: if there are other numbers of labels than samples, a label that is none of the
            classes, or samples of fewer numbers than classes.

    Example:
        >>> from bitspike.learning import local
        >>> local.label_input(torch.full((2, 5), 0.5), torch.tensor([0, 2]), 3)
        tensor([[1.0000, 0.0000, 0.0000, 0.5000, 0.5000],
                [0.0000, 0.0000, 1.0000, 0.5000, 0.5000]])
    """
    samples = model_input(samples, "samples")
    mark = marks(labels, "labels", classes, samples.device)
    if len(mark) != len(samples):
        raise ValueError(
            "samples must be [B, *] and labels [B], "
            f"not {list(samples.shape)} and {list(mark.shape[:1])}"
        )
    numbers = math.prod(samples.shape[1:])
    if numbers < classes:
        raise ValueError(
            f"samples must have {classes} numbers or more for the label, not {numbers}"
        )
    flat: Tensor = samples.flatten(1)
    return torch.cat([mark.to(flat.dtype), flat[:, classes:]], 1).view(samples.shape)
