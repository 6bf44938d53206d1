"""A loss for each layer, and no errors between layers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from bitspike.analysis.observe import Run
from bitspike.arguments import expect_choice

from ._inputs import model_input
from ._layers import OnNetwork, cut, hooked, joined, units_of


class Layerwise(OnNetwork):
    r"""A network each of whose layers learns from a loss of its own (Mostafa et al. 2018).

    .. math::
        y^l[t] = R^l S^l[t] + c^l, \qquad ∂L/∂S^{l-1} := 0

    Readouts ``R`` make scores of what hidden layers fire, and the output of the network is the
    last one. Each layer takes its input cut off from the graph, so that a loss of scores ``l``
    reaches the weights of layer ``l`` and its readout, and no other. On the sum of these losses
    gradients are exact; in time they go through the neurons of a layer, as always. With readouts
    that do not learn it is what DECOLLE (Kaiser, Mostafa & Neftci 2020) optimises.

    Layers may be updated at different times, and the graph of one may be freed before the next
    one runs.

    Args:
        net: A network that calls its layers one after another, and returns scores.
        x: An input as later ones, of one sample or more: it shows the layers and their shapes.
        classes: How many scores there are.
        readout: ``"linear"`` readouts learn, ``"fixed"`` ones are random, and ``"pool"`` takes the
            mean of as many blocks of neurons as there are classes.
        run: How to run ``net``, for example `bitspike.unroll`; by default it is called.
        seed: Of the weights that readouts start from.

    Shapes:
        As ``net``; scores ``[T, B, classes]``, or ``[B, classes]`` for a step.

    Raises:
        TypeError: if ``net`` is no module.
        ValueError: for another ``readout``, for a network without hidden layer, and for fewer
            neurons than classes with ``"pool"``.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> from bitspike.learning import local
        >>> neuron = {"beta": 0.9, "init_hidden": True, "multi_step": True}
        >>> net = nn.Sequential(nn.Linear(20, 30), snn.Leaky(**neuron),
        ...                     nn.Linear(30, 10), snn.LI(**neuron))
        >>> x = (torch.rand(25, 8, 20) < 0.3).float()
        >>> model = local.Layerwise(net, x, classes=10)
        >>> optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        >>> scores = model(x)
        >>> y = torch.arange(8)
        >>> sum(nn.functional.cross_entropy(of_layer.mean(0), y) for of_layer in scores).backward()
        >>> optimizer.step()
        >>> [tuple(of_layer.shape) for of_layer in scores]
        [(25, 8, 10), (25, 8, 10)]
    """

    def __init__(
        self,
        net: nn.Module,
        x: Tensor,
        classes: int,
        *,
        readout: str = "linear",
        run: Run | None = None,
        seed: int = 0,
    ) -> None:
        expect_choice("readout", readout, ("linear", "fixed", "pool"))
        super().__init__(net, x, run)
        self.readout = readout
        generator = torch.Generator().manual_seed(seed)
        self.readouts = nn.ModuleList()
        for layer in self.layers[:-1]:
            neurons = math.prod(layer.outputs)
            if readout == "pool" and neurons < classes:
                raise ValueError(
                    f'readout "pool" needs a neuron for each of the {classes} classes, but layer '
                    f"{layer.name} has {neurons}: take another readout"
                )
            weight = layer.synapse.weight
            # Without the usual draw, which would take numbers from the generator of the user.
            made = skip_init(
                nn.Linear,
                neurons,
                classes,
                bias=readout == "linear",
                device=weight.device,
                dtype=weight.dtype,
            )
            with torch.no_grad():
                made.weight.copy_(_weights(readout, neurons, classes, generator))
                if made.bias is not None:
                    made.bias.zero_()
            made.requires_grad_(readout == "linear")
            self.readouts.append(made)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The scores of all layers, the output of the network at the end."""
        x = model_input(x)
        with hooked(self._synapses, before=cut), units_of(self.layers) as units:
            output = self._run(self.net, x)
        scores = []
        for layer, readout, calls in zip(self.layers, self.readouts, units, strict=False):
            axes = len(layer.outputs)
            spikes = joined(calls)
            scores.append(readout(spikes.flatten(-axes) if axes > 1 else spikes))
        return *scores, output[0] if isinstance(output, tuple) else output


def _weights(readout: str, neurons: int, classes: int, generator: torch.Generator) -> Tensor:
    if readout == "pool":
        owner = torch.arange(neurons, device="cpu") * classes // neurons
        of_class = owner == torch.arange(classes, device="cpu").unsqueeze(1)
        return of_class / of_class.sum(1, keepdim=True)
    drawn = torch.rand(classes, neurons, generator=generator, dtype=torch.float64, device="cpu")
    return (2 * drawn - 1) / math.sqrt(neurons)
