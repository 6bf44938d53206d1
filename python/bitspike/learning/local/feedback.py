"""Errors that reach hidden layers by other ways than the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.analysis.observe import Run
from bitspike.arguments import as_tensor, expect_choice, with_values

from ._inputs import marks, model_input
from ._layers import OnNetwork, hooked

_RULES = ("fa", "sign", "dfa", "drtp")
_Deliver = Callable[[Tensor], Sequence[Tensor]]


def feedback(
    net: nn.Module,
    rule: str,
    x: Tensor,
    *,
    run: Run | None = None,
    seed: int = 0,
    scale: float = 1.0,
    magnitude: str = "random",
) -> Feedback:
    r"""A network whose errors go back through fixed matrices instead of its weights.

    With the error :math:`δ^l = ∂L/∂I^l` of a layer's current, backpropagation gives the spikes that
    layer ``l + 1`` takes the gradient :math:`W^{l+1⊤} δ^{l+1}`. The rules put in its place

    .. math::
        \texttt{fa}:\ B^{l+1⊤} δ^{l+1} \qquad
        \texttt{sign}:\ (|B^{l+1}| ⊙ \operatorname{sign} W^{l+1})^⊤ δ^{l+1} \qquad
        \texttt{dfa}:\ B^{l+1⊤} δ^{L} \qquad
        \texttt{drtp}:\ -\tfrac1{TB} B^{l+1⊤} y^*

    with the error :math:`δ^L` of the last layer's current and the target :math:`y^*`. Everything
    else is ordinary autograd: gradients of weights are those of their layers, errors go back
    through time inside the neurons of a layer (and through recurrent weights there), and the last
    layer learns as always. With ``dfa`` and ``drtp`` no error goes from layer to layer.

    What is replaced is the gradient of what a layer of weights takes; from there to the neurons
    below, poolings and normalisations pass it on as they do. With ``B = W`` feedback alignment is
    backpropagation, and with one hidden layer ``dfa`` is ``fa``.

    Sources: feedback alignment, Lillicrap et al. 2016 (Nat. Commun. 7); sign-concordant feedback,
    Liao, Leibo & Poggio 2016; direct feedback alignment, Nøkland 2016; direct random target
    projection, Frenkel, Lefebvre & Bol 2021.

    Args:
        net: A network that calls its layers one after another, in each step if it loops over time.
        rule: ``"fa"``, ``"sign"``, ``"dfa"`` or ``"drtp"``.
        x: An input as later ones, of one sample or more: it shows the layers and their shapes.
        run: How to run ``net``, for example `bitspike.unroll`; by default it is called.
        seed: Of the matrices.
        scale: What they are multiplied by.
        magnitude: For ``"sign"``: ``"random"``, or ``"same"`` for entries of one magnitude.

    Returns:
        A module that is called like ``net``, with parameters and states of ``net`` and the matrices
        as buffers.

    Raises:
        TypeError: if ``net`` is no module.
        ValueError: for another ``rule`` or ``magnitude``, and for a network without hidden layer.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> from bitspike.learning import local
        >>> neuron = {"beta": 0.9, "init_hidden": True, "multi_step": True}
        >>> net = nn.Sequential(nn.Linear(20, 30), snn.Leaky(**neuron),
        ...                     nn.Linear(30, 10), snn.LI(**neuron))
        >>> x = (torch.rand(25, 8, 20) < 0.3).float()
        >>> model = local.feedback(net, "dfa", x)
        >>> optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        >>> nn.functional.cross_entropy(model(x).mean(0), torch.arange(8)).backward()
        >>> optimizer.step()
        >>> {name: tuple(matrix.shape) for name, matrix in model.matrices.items()}
        {'2': (10, 30)}
    """
    expect_choice("rule", rule, _RULES)
    expect_choice("magnitude", magnitude, ("random", "same"))
    return Feedback(net, x, run, rule, seed=seed, scale=scale, magnitude=magnitude)


class Feedback(OnNetwork):
    """What `feedback` returns: a network whose errors reach hidden layers by other ways.

    Outside of calls of this module the network is as it was, hooks included.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> from bitspike.learning import local
        >>> net = nn.Sequential(nn.Linear(5, 4), snn.Leaky(0.9, init_hidden=True), nn.Linear(4, 3))
        >>> model = local.feedback(net, "drtp", torch.ones(2, 5))
        >>> for step in torch.rand(10, 2, 5):
        ...     model(step, target=torch.tensor([0, 2])).sum().backward()
        ...     snn.utils.detach(net)
        >>> model.matrices["2"].copy_(net[2].weight).shape
        torch.Size([3, 4])
    """

    def __init__(
        self,
        net: nn.Module,
        x: Tensor,
        run: Run | None,
        rule: str,
        *,
        seed: int,
        scale: float,
        magnitude: str,
    ) -> None:
        """Draws the matrices; `feedback` checks the arguments."""
        self.rule = rule
        super().__init__(net, x, run)
        self._direct = rule in ("dfa", "drtp")
        generator = torch.Generator().manual_seed(seed)
        last = math.prod(self.layers[-1].outputs)
        for i, layer in enumerate(self.layers[1:], 1):
            weight = layer.synapse.weight
            shape = (last, math.prod(layer.inputs)) if self._direct else weight.shape
            # As nn.Linear draws weights, or in one magnitude of the same mean square.
            bound = 1 / math.sqrt(math.prod(shape[1:]))
            drawn = torch.rand(shape, generator=generator, dtype=torch.float64, device="cpu")
            matrix = (2 * drawn - 1) * bound * scale
            if magnitude == "same":
                matrix = matrix.sign() * (bound * scale / math.sqrt(3))
            self.register_buffer(f"feedback{i}", matrix.to(weight.device, weight.dtype))

    @property
    def matrices(self) -> dict[str, Tensor]:
        """The matrices, by the name of the layer to whose input they lead: its weight's shape.

        For ``"dfa"`` and ``"drtp"`` they are ``[outputs of the last layer, inputs of this one]``.
        """
        names = enumerate(self.layers[1:], 1)
        return {layer.name: self.get_buffer(f"feedback{i}") for i, layer in names}

    def forward(self, x: Tensor, target: Tensor | None = None) -> Any:
        """What the network returns.

        Args:
            x: Its input, one step or a sequence.
            target: For ``"drtp"``: classes ``[B]``, or what the last layer's currents are wanted to
                be like, ``[B, *]`` or with time in front.

        Raises:
            ValueError: for a target that is missing, of another shape, or has no use in the rule;
                and if layers are called in another order than when the matrices were made.
        """
        x = model_input(x)
        if (target is not None) != (self.rule == "drtp"):
            raise ValueError(
                f"rule {self.rule!r} "
                + ("projects targets: call it with target=" if target is None else "has no use for")
                + (" the classes [B]" if target is None else " target: leave it away")
            )
        if target is not None:
            target = with_values(as_tensor(target, "target"), "target")
        taken: list[Tensor] = []

        def take(i: int, x: Tensor) -> Tensor:
            if i != len(taken):
                raise ValueError(
                    f"rule {self.rule!r} needs its layers called one after another, "
                    f"{', '.join(layer.name for layer in self.layers)}, but {self.layers[i].name} "
                    f"came after {len(taken)} of them"
                )
            taken.append(x)
            return x.detach() if i else x

        def give(i: int, _: Tensor, current: Tensor) -> Tensor:
            is_last = i == len(self.layers) - 1
            receivers = taken[1:] if self._direct and is_last else taken[i:]
            if is_last:
                taken.clear()
            if not torch.is_grad_enabled() or not i or (self._direct and not is_last):
                return current
            deliver = self._way(i, receivers, target)
            delivered: Tensor = _Delivery.apply(deliver, current, *receivers)
            return delivered

        with hooked(self._synapses, take, give):
            return self._run(self.net, x)

    def _way(self, i: int, receivers: Sequence[Tensor], target: Tensor | None) -> _Deliver:
        """How the error of a layer's current reaches what layers took."""
        synapse = self.layers[i].synapse
        shapes = [x.shape for x in receivers]
        if not self._direct:
            matrix = self.get_buffer(f"feedback{i}")
            if self.rule == "sign":
                matrix = matrix.abs() * synapse.weight.detach().sign()
            return lambda error: (_back_through(synapse, matrix, error, shapes[0]),)
        matrices = list(self.matrices.values())
        axes = len(self.layers[-1].outputs)

        def deliver(error: Tensor) -> Sequence[Tensor]:
            signal = error.flatten(-axes)
            if target is not None:
                signal = -_as_signal(target, signal) / math.prod(signal.shape[:-1])
            return [
                (signal @ matrix).view(shape)
                for matrix, shape in zip(matrices, shapes, strict=True)
            ]

        return deliver


class _Delivery(torch.autograd.Function):
    """A current as it is, whose error goes to further tensors than made it."""

    @staticmethod
    def forward(ctx: Any, deliver: _Deliver, current: Tensor, *receivers: Tensor) -> Tensor:
        ctx.deliver = deliver
        return current.view_as(current)

    @staticmethod
    def backward(ctx: Any, error: Tensor) -> tuple[Any, ...]:
        return None, error, *ctx.deliver(error)


def _back_through(synapse: Any, matrix: Tensor, error: Tensor, shape: torch.Size) -> Tensor:
    """The gradient that the input of a layer would get with these weights."""
    if isinstance(synapse, nn.Linear):
        return error @ matrix
    # The layer is linear in its input, whatever its padding: any input has this gradient.
    with torch.enable_grad():
        x = error.new_zeros(shape, requires_grad=True)
        current = torch.func.functional_call(synapse, {"weight": matrix}, (x,))
    (gradient,) = torch.autograd.grad(current, x, error)
    return gradient


def _as_signal(target: Tensor, signal: Tensor) -> Tensor:
    """A target for each row and output of the last layer.

    Raises:
        ValueError: if it is of another shape.
    """
    target = target.to(signal.device)
    rows, outputs = math.prod(signal.shape[:-1]), signal.shape[-1]
    if target.dim() == 1:
        target = marks(target, "target", outputs, signal.device)
    # Where time is folded into the batch, only rows are left to count.
    samples = signal.shape[-2] if signal.dim() > 2 else 1
    given = target.numel() // outputs
    if not given or target.numel() % outputs or rows % given or given % samples:
        raise ValueError(
            f"target must be classes [B] or [B, {outputs}], with time in front or not, for "
            f"{rows} steps and samples, not {list(target.shape)}"
        )
    wanted = target.to(signal.dtype).reshape(-1, outputs)
    return wanted.repeat(rows // given, 1).view_as(signal)
