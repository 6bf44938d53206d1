"""Regularisers: what activity costs, whatever the labels."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import as_tensor
from bitspike.decode.recordings import counts, wide
from bitspike.one_call import one_call


class l1_rate_sparsity:
    r"""A price per spike.

    .. math::
        R = \Lambda \sum_{t,b,i} S[t,b,i]

    Packed spikes are counted as bits. Source: snnTorch 1.0 (Eshraghian et al. 2023).

    Args:
        Lambda: The price.

    Shapes:
        Spikes of any shape; the penalty is a number.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> SF.l1_rate_sparsity(0.5)(torch.ones(5, 2, 3))
        tensor(15.)
    """

    def __init__(self, Lambda: float = 1e-5) -> None:
        self.Lambda = Lambda
        self.__name__ = type(self).__name__

    @one_call
    def __call__(self, spk_out: Tensor) -> Tensor:
        """The penalty."""
        return self.Lambda * torch.sum(wide(as_tensor(spk_out, "spk_out")))


class _Bound:
    """A penalty on counts that lie beyond a bound."""

    def __init__(self, theta: float, lam: float, power: int) -> None:
        if power not in (1, 2):
            raise ValueError(f"power must be 1 or 2, not {power}")
        self.theta = theta
        self.lam = lam
        self.power = power
        self.__name__ = type(self).__name__

    def _penalty(self, beyond: Tensor) -> Tensor:
        """The mean penalty of counts that lie so far beyond the bound."""
        return self.lam * (torch.relu(beyond) ** self.power).mean()


class upper_population(_Bound):
    r"""Bounds the spikes of a layer from above.

    .. math::
        R = \frac{\lambda}{B} \sum_b \Big[\sum_i c_{b,i} - \theta\Big]_+^p,
        \qquad c_{b,i} = \sum_t S[t,b,i]

    Packed spikes are counted as bits. Source: Zenke & Vogels 2021, Neural Computation 33(4).

    Args:
        theta: How many spikes a sample may cause without a penalty.
        lam: The strength.
        power: 1 or 2.

    Shapes:
        Spikes ``[T, B, *]``; the penalty is a number.

    Raises:
        ValueError: for another ``power``, or a recording without steps or samples.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> SF.upper_population(theta=20, lam=0.5)(torch.ones(5, 2, 6))
        tensor(5.)
    """

    def __init__(self, theta: float, lam: float, power: int = 1) -> None:
        super().__init__(theta, lam, power)

    @one_call
    def __call__(self, spk_out: Tensor) -> Tensor:
        """The penalty."""
        return self._penalty(_counts(spk_out).sum(1) - self.theta)


class lower_population(_Bound):
    r"""Bounds the spikes of a layer from below.

    .. math::
        R = \frac{\lambda}{B} \sum_b \Big[\theta - \sum_i c_{b,i}\Big]_+^p,
        \qquad c_{b,i} = \sum_t S[t,b,i]

    Packed spikes are counted as bits. Source: after Zenke & Vogels 2021.

    Args:
        theta: How many spikes a sample should cause.
        lam: The strength.
        power: 1 or 2.

    Shapes:
        Spikes ``[T, B, *]``; the penalty is a number.

    Raises:
        ValueError: for another ``power``, or a recording without steps or samples.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> SF.lower_population(theta=20, lam=0.5)(torch.zeros(5, 2, 6))
        tensor(200.)
    """

    def __init__(self, theta: float, lam: float, power: int = 2) -> None:
        super().__init__(theta, lam, power)

    @one_call
    def __call__(self, spk_out: Tensor) -> Tensor:
        """The penalty."""
        return self._penalty(self.theta - _counts(spk_out).sum(1))


class upper_neuron(_Bound):
    r"""Bounds the spikes of each neuron from above: no bursts.

    .. math::
        R = \frac{\lambda}{B N} \sum_{b,i} [c_{b,i} - \theta]_+^p, \qquad c_{b,i} = \sum_t S[t,b,i]

    Packed spikes are counted as bits. Source: after Zenke & Vogels 2021.

    Args:
        theta: How often a neuron may fire without a penalty.
        lam: The strength.
        power: 1 or 2.

    Shapes:
        Spikes ``[T, B, *]``; the penalty is a number.

    Raises:
        ValueError: for another ``power``, or a recording without steps or samples.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> SF.upper_neuron(theta=3, lam=0.5)(torch.ones(5, 2, 6))
        tensor(2.)
    """

    def __init__(self, theta: float, lam: float, power: int = 2) -> None:
        super().__init__(theta, lam, power)

    @one_call
    def __call__(self, spk_out: Tensor) -> Tensor:
        """The penalty."""
        return self._penalty(_counts(spk_out) - self.theta)


class lower_neuron(_Bound):
    r"""Bounds the spikes of each neuron from below: none is silent.

    .. math::
        R = \frac{\lambda}{B N} \sum_{b,i} [\theta - c_{b,i}]_+^2, \qquad c_{b,i} = \sum_t S[t,b,i]

    Packed spikes are counted as bits. Source: Zenke & Vogels 2021, Neural Computation 33(4).

    Args:
        theta: How often a neuron should fire.
        lam: The strength.

    Shapes:
        Spikes ``[T, B, *]``; the penalty is a number.

    Raises:
        ValueError: for a recording without steps or samples.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> SF.lower_neuron(theta=2, lam=0.5)(torch.zeros(5, 2, 6))
        tensor(2.)
    """

    def __init__(self, theta: float, lam: float) -> None:
        super().__init__(theta, lam, power=2)

    @one_call
    def __call__(self, spk_out: Tensor) -> Tensor:
        """The penalty."""
        return self._penalty(self.theta - _counts(spk_out))


class l2_rate:
    r"""The mean square of firing rates.

    .. math::
        R = \frac{\lambda}{B N} \sum_{b,i} r_{b,i}^2, \qquad r_{b,i} = \frac1T \sum_t S[t,b,i]

    Packed spikes are counted as bits. Source: weight decay (Krogh & Hertz 1991) applied to rates.

    Args:
        lam: The strength.

    Shapes:
        Spikes ``[T, B, *]``; the penalty is a number.

    Raises:
        ValueError: for a recording without steps or samples.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> SF.l2_rate(lam=0.5)(torch.ones(5, 2, 6))
        tensor(0.5000)
    """

    def __init__(self, lam: float) -> None:
        self.lam = lam
        self.__name__ = type(self).__name__

    @one_call
    def __call__(self, spk_out: Tensor) -> Tensor:
        """The penalty."""
        return self.lam * ((_counts(spk_out) / len(spk_out)) ** 2).mean()


class kl_rate:
    r"""The divergence of firing rates from a wanted one.

    .. math::
        R = \frac{\lambda}{B} \sum_{b,i} \Big[\rho \ln\frac{\rho}{q_{b,i}}
        + (1-\rho) \ln\frac{1-\rho}{1-q_{b,i}}\Big], \qquad
        q = \epsilon + (1 - 2\epsilon)\,\frac1T \sum_t S[t]

    which is that of a Bernoulli variable of rate ``q`` from one of rate ``ρ``. The ``ε`` keeps it
    finite, and gives silent neurons a gradient. Packed spikes are counted as bits.

    Source: sparse autoencoders (Ng 2011, CS294A lecture notes), applied to rates.

    Args:
        target: The wanted rate ``ρ`` in spikes per step.
        lam: The strength.
        eps: The smallest rate that is told from silence.

    Shapes:
        Spikes ``[T, B, *]``; the penalty is a number.

    Raises:
        ValueError: for a ``target`` outside ``[0, 1]``, an ``eps`` outside ``(0, 0.5)``, or a
            recording without steps or samples.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> SF.kl_rate(target=0.5, lam=1.0)(torch.eye(2).unsqueeze(1))
        tensor(0.)
    """

    def __init__(self, target: float, lam: float, eps: float = 1e-3) -> None:
        if not 0 <= target <= 1:
            raise ValueError(f"target must be in [0, 1], not {target}")
        if not 0 < eps < 0.5:
            raise ValueError(f"eps must be in (0, 0.5), not {eps}")
        self.target = target
        self.lam = lam
        self.eps = eps
        self.__name__ = type(self).__name__

    @one_call
    def __call__(self, spk_out: Tensor) -> Tensor:
        """The penalty."""
        rates = self.eps + (1 - 2 * self.eps) * _counts(spk_out) / len(spk_out)
        wanted = torch.full_like(rates, self.target)
        # xlogy makes nothing of 0·ln(0); in log1p the complement of a rate is not rounded.
        entropy = torch.xlogy(wanted, wanted) + torch.xlogy(1 - wanted, 1 - wanted)
        cross = wanted * rates.log() + (1 - wanted) * torch.log1p(-rates)
        return self.lam * (entropy - cross).sum(1).mean()


def _counts(spikes: Tensor) -> Tensor:
    """How often each neuron fires for each sample, ``[B, N]``."""
    spikes = as_tensor(spikes, "spk_out")
    if spikes.dim() < 2 or 0 in spikes.shape:
        raise ValueError(
            f"spk_out must be [T, B, *] with one step, sample and neuron or more, "
            f"not {tuple(spikes.shape)}"
        )
    return counts(wide(spikes)).reshape(spikes.shape[1], -1)
