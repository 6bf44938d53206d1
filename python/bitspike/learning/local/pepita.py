"""Two forward passes, the second of which takes the error at its input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bitspike import utils
from bitspike.analysis.observe import Run
from bitspike.arguments import as_tensor, expect_choice, with_values

from ._inputs import marks, model_input
from ._layers import OnNetwork, add_gradients, hooked, joined, units_of


class _Pass(NamedTuple):
    """What layers took and returned in a run, as means over its steps."""

    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]


class PEPITA(OnNetwork):
    r"""Learns from what an error added to the input changes (Dellaferrera & Kreiman 2022).

    The first pass gives rates :math:`h_l` and the error :math:`e = y - y^*` of the output. The
    second one takes the input :math:`x + Fe`, with a fixed random matrix ``F``, and with its rates
    :math:`h^{err}`

    .. math::
        ∂W_1 = (h_1 - h_1^{err})(x + Fe)^⊤, \qquad
        ∂W_l = (h_l - h_l^{err})\, h_{l-1}^{err⊤}, \qquad
        ∂W_L = e\, h_{L-1}^{err⊤}

    as means over samples. No error travels back through a layer, and no derivative is taken.
    Rates are means over time, of spikes or, for an output that integrates, of its membrane.

    Both passes start from rest and draw the same random numbers, so that dropout has one mask. The
    input of the second pass is a current; spikes of deeper layers stay packed.

    Args:
        net: A network that calls its layers one after another; weights and biases of ``nn.Linear``
            and convolutions are learned.
        x: An input as later ones, of one sample or more: it shows the layers and their shapes.
        scale: ``F`` is uniform within ``scale·√(6/n)``, for ``n`` inputs.
        error: ``"cross_entropy"``: ``y`` is the softmax of the output rates; ``"difference"``: the
            rates.
        run: How to run ``net``, for example `bitspike.unroll`; by default it is called.
        seed: Of ``F``.

    Raises:
        TypeError: if ``net`` is no module.
        ValueError: for another ``error``, and for a network without hidden layer.

    Example:
        >>> import torch, bitspike as snn
        >>> from bitspike.learning import local
        >>> from torch import nn
        >>> neuron = {"beta": 0.9, "init_hidden": True, "multi_step": True}
        >>> net = nn.Sequential(nn.Linear(20, 30), snn.Leaky(**neuron),
        ...                     nn.Linear(30, 10), snn.LI(**neuron))
        >>> x, y = (torch.rand(25, 8, 20) < 0.3).float(), torch.arange(8)
        >>> model = local.PEPITA(net, x)
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> scores = model.learn(x, y)  # instead of loss.backward()
        >>> optimizer.step()
        >>> scores.shape, net[0].weight.grad.shape
        (torch.Size([8, 10]), torch.Size([30, 20]))
    """

    F: Tensor
    """The matrix ``[inputs, outputs]``."""

    def __init__(
        self,
        net: nn.Module,
        x: Tensor,
        *,
        scale: float = 0.05,
        error: str = "cross_entropy",
        run: Run | None = None,
        seed: int = 0,
    ) -> None:
        expect_choice("error", error, ("cross_entropy", "difference"))
        super().__init__(net, x, run)
        self._softmax = error == "cross_entropy"
        inputs = math.prod(_sequence(x).shape[2:])
        generator = torch.Generator().manual_seed(seed)
        shape = inputs, math.prod(self.layers[-1].outputs)
        drawn = torch.rand(shape, generator=generator, dtype=torch.float64, device="cpu")
        matrix = (2 * drawn - 1) * math.sqrt(6 / inputs) * scale
        self.register_buffer("F", matrix.to(self.layers[0].synapse.weight))

    def forward(self, x: Tensor) -> Tensor:
        """The output rates ``[B, *]`` of a sequence, from rest; nothing is learned."""
        return self._pass(_sequence(x)).outputs[-1]

    @torch.no_grad()
    def learn(self, x: Tensor, target: Tensor) -> Tensor:
        """Adds to the gradients of weights and biases, as ``backward`` would.

        Args:
            x: A sequence ``[T, B, *]``, packed or not.
            target: Classes ``[B]``, or ``y*`` ``[B, outputs]``.

        Returns:
            The output rates ``[B, outputs]`` of the first pass.

        Raises:
            ValueError: for another target, for an input that is no sequence of this shape, and for
                a layer whose neurons have another shape than its current.
        """
        x = _sequence(x)
        if math.prod(x.shape[2:]) != len(self.F):
            raise ValueError(f"x must have {len(self.F)} inputs, not {list(x.shape[2:])}")
        drawn = torch.get_rng_state()
        first = self._pass(x)
        output = first.outputs[-1].flatten(1)
        wanted = _wanted(target, output)
        error = (output.softmax(1) if self._softmax else output) - wanted
        torch.set_rng_state(drawn)
        pushed = (error.to(self.F.dtype) @ self.F.t()).view(x.shape[1:])
        second = self._pass(x + pushed)
        for i, layer in enumerate(self.layers):
            change = first.outputs[i] - second.outputs[i]
            if i == len(self.layers) - 1:
                change = error.view(first.outputs[i].shape)
            if change.shape[1:] != layer.outputs:
                raise ValueError(
                    f"PEPITA needs the neurons of layer {layer.name} right behind it: its current "
                    f"is {list(layer.outputs)}, they are {list(change.shape[1:])}; pool behind them"
                )
            add_gradients(layer.synapse, second.inputs[i], change / len(change))
        return output

    def _pass(self, x: Tensor) -> _Pass:
        taken: list[list[Tensor]] = [[] for _ in self.layers]

        def take(i: int, x: Tensor) -> Tensor:
            taken[i].append(x)
            return x

        utils.reset(self.net)
        with hooked(self._synapses, before=take), units_of(self.layers) as units:
            self._run(self.net, x)
        steps, batch = x.shape[:2]
        return _Pass(
            [
                _rates(calls, steps, batch, layer.inputs)
                for layer, calls in zip(self.layers, taken, strict=True)
            ],
            [
                _rates(calls, steps, batch, joined(calls).shape[-len(layer.outputs) :])
                for layer, calls in zip(self.layers, units, strict=True)
            ],
        )


def _rates(calls: Sequence[Tensor], steps: int, batch: int, features: torch.Size) -> Tensor:
    """Means over time ``[B, *]`` of what one call, or one for each step, had."""
    whole = joined(calls)
    if whole.dim() == len(features) + 1 and len(whole) == steps * batch:
        whole = whole.view(steps, batch, *features)
    return whole.mean(0)


def _sequence(x: Tensor) -> Tensor:
    x = model_input(x)
    if x.dim() < 3:
        raise ValueError(
            f"PEPITA compares rates: x must be a sequence [T, B, *], not {list(x.shape)}"
        )
    return x


def _wanted(target: Tensor, output: Tensor) -> Tensor:
    target = with_values(as_tensor(target, "target", output.device), "target")
    if target.dim() == 1:
        target = marks(target, "target", output.shape[1], output.device)
    if target.shape != output.shape:
        raise ValueError(
            f"target must be classes [B] or of the shape of the output, {list(output.shape)}, "
            f"not {list(target.shape)}"
        )
    return target.to(output.dtype)
