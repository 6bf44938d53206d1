"""Rules of rates: Hebb, Oja and his successors, BCM."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from bitspike.arguments import expect_choice

from .pairing import Trace, check_taus, numbers
from .places import Rows
from .rule import SynapticRule


class RateRule(SynapticRule):
    """Base of the rules in which activity ``x`` of inputs meets activity ``y`` of outputs.

    Activities are what is recorded, spikes or rates; with time constants, the traces of spikes.

    Example:
        >>> from bitspike import plasticity
        >>> isinstance(plasticity.Oja(), plasticity.RateRule)
        True
    """

    def __init__(self, tau_pre: float | None = None, tau_post: float | None = None) -> None:
        super().__init__()
        given = {"tau_pre": tau_pre, "tau_post": tau_post}
        check_taus(self.name, **{name: tau for name, tau in given.items() if tau is not None})
        self._traces = tuple(None if tau is None else Trace(tau) for tau in (tau_pre, tau_post))

    def _activities(
        self, rows: Rows, weight: Tensor, state: dict[str, Tensor]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """``x`` ``[R, inputs]`` and ``y`` ``[R, outputs]`` of every step."""
        sides = []
        for name, trace, spikes in zip(("pre", "post"), self._traces, rows[:2], strict=True):
            if trace is None:
                sides.append(numbers(spikes, weight.dtype))
                continue
            before = self._trace(state, name, spikes, weight)
            values, state[name] = trace.after(spikes, before, bumped=True)
            sides.append(values)
        return zip(*sides, strict=True)

    def _of_step(self, x: Tensor, y: Tensor, weight: Tensor, state: dict[str, Tensor]) -> Tensor:
        """By how much the weights change in a step."""
        raise NotImplementedError

    def _learned(self, rows: Rows, weight: Tensor, state: dict[str, Tensor], lr: float) -> Tensor:
        for x, y in self._activities(rows, weight, state):
            weight = weight + lr * self._of_step(x, y, weight, state)
        return weight

    def _changed(
        self, rows: Rows, weight: Tensor, state: dict[str, Tensor], change: Tensor
    ) -> Tensor:
        for x, y in self._activities(rows, weight, state):
            change = change + self._of_step(x, y, weight, state)
        return change


class Hebb(RateRule):
    r"""What fires together is wired together.

    .. math::
        ΔW = η \left( \sum_b y_b ⊗ x_b - λ W \right)

    Source: Hebb 1949.

    Args:
        decay: ``λ``, by which weights fade.
        tau_pre: Time constant of the inputs' trace; None takes what is recorded.
        tau_post: That of the outputs'.

    Raises:
        ValueError: for a time constant that is not positive.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike import plasticity
        >>> fc = nn.Linear(2, 1)
        >>> rule = plasticity.Hebb().attach(fc)
        >>> rule.record(torch.tensor([[1.0, 0.5]]), torch.tensor([[2.0]]))
        >>> rule.step(on_grad=True)
        >>> fc.weight.grad
        tensor([[-2., -1.]])
    """

    def __init__(
        self, decay: float = 0.0, tau_pre: float | None = None, tau_post: float | None = None
    ) -> None:
        super().__init__(tau_pre, tau_post)
        self.decay = decay

    def _of_step(self, x: Tensor, y: Tensor, weight: Tensor, state: dict[str, Tensor]) -> Tensor:
        return y.t() @ x - self.decay * weight


class Oja(RateRule):
    r"""Hebb's rule with a decay that keeps weights of length 1: principal components.

    .. math::
        \text{"single"}: \quad ΔW_i &= η \sum_b y_i (x - y_i W_i) \\
        \text{"subspace"}: \quad ΔW &= η \sum_b (y ⊗ x - (y ⊗ y) W) \\
        \text{"sanger"}: \quad ΔW &= η \sum_b (y ⊗ x - \mathrm{tril}(y ⊗ y) W)

    With a linear neuron, ``y = W x``, each output of ``"single"`` finds the first principal
    component of its inputs. Several outputs of ``"subspace"`` span that of the first ones, and of
    ``"sanger"`` find them one by one, in order.

    Source: Oja 1982 and 1989; Sanger 1989.

    Args:
        form: Which of them.
        tau_pre: Time constant of the inputs' trace; None takes what is recorded.
        tau_post: That of the outputs'.

    Raises:
        ValueError: for another form, or a time constant that is not positive.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike import plasticity
        >>> fc = nn.Linear(2, 1, bias=False)
        >>> rule = plasticity.Oja().attach(fc, fc)  # the neuron is linear
        >>> points = torch.randn(2000, 1, 1) * torch.tensor([0.6, 0.8])
        >>> for point in points:
        ...     _ = fc(point)
        ...     rule.step(lr=0.05)
        >>> fc.weight.detach().abs()
        tensor([[0.6000, 0.8000]])
    """

    def __init__(
        self,
        form: str = "single",
        tau_pre: float | None = None,
        tau_post: float | None = None,
    ) -> None:
        super().__init__(tau_pre, tau_post)
        expect_choice("form", form, ("single", "subspace", "sanger"))
        self.form = form

    def _of_step(self, x: Tensor, y: Tensor, weight: Tensor, state: dict[str, Tensor]) -> Tensor:
        if self.form == "single":
            return y.t() @ x - y.square().sum(0).unsqueeze(1) * weight
        products = y.t() @ y
        if self.form == "sanger":
            products = products.tril()
        return y.t() @ x - products @ weight


class BCM(RateRule):
    r"""Outputs above a threshold strengthen their inputs, those below weaken them.

    .. math::
        ΔW_i = η \sum_b y_i (y_i - θ_i) x, \qquad θ_i ← θ_i + (\overline{y_i^2} - θ_i) / τ_θ

    The threshold follows the mean square of the output over samples and time, and must do so faster
    than weights change. Outputs become selective: they fire for some of their inputs alone.

    Source: Bienenstock, Cooper & Munro 1982; Intrator & Cooper 1992.

    Args:
        tau_theta: ``τ_θ`` in steps, at least 1.
        tau_pre: Time constant of the inputs' trace; None takes what is recorded.
        tau_post: That of the outputs'.

    Raises:
        ValueError: for a time constant that is not positive, or a ``tau_theta`` below 1.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike import plasticity
        >>> fc = nn.Linear(1, 1)
        >>> rule = plasticity.BCM(tau_theta=10.0).attach(fc)
        >>> rule.record(torch.ones(1, 1), torch.full((1, 1), 2.0))
        >>> rule.step(on_grad=True)  # the threshold starts at 0
        >>> fc.weight.grad, rule.state_dict()["theta"]
        (tensor([[-4.]]), tensor([0.4000]))
    """

    def __init__(
        self,
        tau_theta: float = 100.0,
        tau_pre: float | None = None,
        tau_post: float | None = None,
    ) -> None:
        super().__init__(tau_pre, tau_post)
        if not tau_theta >= 1:
            raise ValueError(f"{self.name}: tau_theta={tau_theta} must be at least one step")
        self.tau_theta = tau_theta

    def _of_step(self, x: Tensor, y: Tensor, weight: Tensor, state: dict[str, Tensor]) -> Tensor:
        theta = state.get("theta", torch.zeros_like(weight[:, 0]))
        state["theta"] = theta + (y.square().mean(0) - theta) / self.tau_theta
        return (y * (y - theta)).t() @ x
