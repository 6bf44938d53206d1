"""Losses of how often output neurons fire."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.decode.lengths import checked_lengths, silenced, step_count
from bitspike.decode.recordings import by_label, checked, class_counts, labels, pool_size, pooled

from ._loss import LossFunctions, reduced


class ce_rate_loss(LossFunctions):
    r"""Cross-entropy of the spikes of each step, averaged over time.

    .. math::
        L = \frac1T \sum_t \mathrm{CE}(S[t], y)

    The softmax is taken per step; for the one of spike counts see :class:`ce_count_loss`. With a
    population code the scores of a step are the means over the neurons of each class.

    Source: snnTorch 1.0 (Eshraghian et al. 2023, Proc. IEEE 111(9)). Its population code does not
    pool, and raises without ``weight``.

    Args:
        population_code: Whether several output neurons stand for each class.
        num_classes: How many classes, then; class ``c`` owns the ``c``-th block of neurons.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, over the batch.
        weight: One factor per class. The weighted mean is divided by the batch size, and not by
            the sum of the weights as in torch.

    Shapes:
        Spikes ``[T, B, C]``, labels ``[B]``; the loss is ``[1]``, a number with ``weight``, or
        ``[B]`` for ``"none"``. It is float64 for float64, else float32.

    Raises:
        ValueError: for other shapes, or a ``num_classes`` that does not divide the outputs.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> SF.ce_rate_loss()(torch.zeros(5, 2, 10), torch.tensor([3, 7]))
        tensor([2.3026])
    """

    def __init__(
        self,
        population_code: bool = False,
        num_classes: int | bool = False,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        super().__init__(reduction, weight)
        self.population_code = population_code
        self.num_classes = num_classes

    def _compute_loss(
        self, spk_out: Tensor, targets: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        spikes = checked(spk_out)
        lengths = checked_lengths(lengths, spikes)
        spikes = silenced(spikes, lengths)
        index = labels(targets, spikes.shape[1], spikes.device)
        if self.population_code:
            spikes = pooled(spikes, self.num_classes).mean(-1)
        per_sample = self._cross_entropy_of_steps(spikes, index, lengths)
        if self._intermediate_reduction() == "none":
            return per_sample
        return reduced(per_sample, self.reduction).reshape(1)


class ce_count_loss(LossFunctions):
    r"""Cross-entropy of spike counts.

    .. math::
        L = \mathrm{CE}\Big(\sum_t S[t],\ y\Big)

    Packed spikes are counted as bits. Source: snnTorch 1.0 (Eshraghian et al. 2023).

    Args:
        population_code: Whether several output neurons stand for each class; their spikes add up.
        num_classes: How many classes, then; class ``c`` owns the ``c``-th block of neurons.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, over the batch.
        weight: One factor per class. The weighted mean is divided by the batch size, and not by
            the sum of the weights as in torch.

    Shapes:
        Spikes ``[T, B, C]``, labels ``[B]``; the loss is a number, or ``[B]`` for ``"none"``. It
        is float64 for float64, else float32.

    Raises:
        ValueError: for other shapes, or a ``num_classes`` that does not divide the outputs.

    Example:
        >>> import torch, bitspike as snn
        >>> from bitspike import functional as SF
        >>> spikes = snn.SpikeTensor.from_dense(torch.eye(2).expand(3, 2, 2))
        >>> SF.ce_count_loss()(spikes, torch.tensor([0, 1]))
        tensor(0.0486)
    """

    def __init__(
        self,
        population_code: bool = False,
        num_classes: int | bool = False,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        super().__init__(reduction, weight)
        self.population_code = population_code
        self.num_classes = num_classes

    def _compute_loss(
        self, spk_out: Tensor, targets: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        spikes = checked(spk_out)
        lengths = checked_lengths(lengths, spikes, least=0)
        counts = class_counts(spikes, self.population_code, self.num_classes, lengths)
        return self._cross_entropy(counts, labels(targets, len(counts), counts.device))


class mse_count_loss(LossFunctions):
    r"""Mean squared error of spike counts.

    .. math::
        L = \frac1T\,\mathrm{MSE}\Big(\sum_t S[t],\ \lfloor T·\rho\rfloor\Big)

    with the rate ``ρ`` that is wanted of the correct class or of the others. With a population
    code both are those of all neurons of a class. Packed spikes are counted as bits.

    Source: SLAYER (Shrestha & Orchard 2018), as in snnTorch 1.0.

    Args:
        correct_rate: Spikes per step of the correct class.
        incorrect_rate: Spikes per step of the others.
        population_code: Whether several output neurons stand for each class; their spikes add up.
        num_classes: How many classes, then; class ``c`` owns the ``c``-th block of neurons.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, over batch and classes.
        weight: One factor per class; it scales the errors of the samples with that label.

    Shapes:
        Spikes ``[T, B, C]``, labels ``[B]``; the loss is a number, or ``[B, C]`` (``[B, K]``) for
        ``"none"``. It is float64 for float64, else float32.

    Raises:
        ValueError: for other shapes, or a ``num_classes`` that does not divide the outputs.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> SF.mse_count_loss(correct_rate=0.8)(torch.ones(10, 1, 1), torch.tensor([0]))
        tensor(0.4000)
    """

    def __init__(
        self,
        correct_rate: float = 1,
        incorrect_rate: float = 0,
        population_code: bool = False,
        num_classes: int | bool = False,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        super().__init__(reduction, weight)
        self.correct_rate = correct_rate
        self.incorrect_rate = incorrect_rate
        self.population_code = population_code
        self.num_classes = num_classes

    def _compute_loss(
        self, spk_out: Tensor, targets: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        spikes = checked(spk_out)
        lengths = checked_lengths(lengths, spikes)
        index = labels(targets, spikes.shape[1], spikes.device)
        counts = class_counts(spikes, self.population_code, self.num_classes, lengths)
        size, rates = self._neurons_per_class(spikes), (self.correct_rate, self.incorrect_rate)
        if lengths is None:
            steps = spikes.shape[0]
            on, off = (int(steps * rate * size) for rate in rates)
            return self._squared_error(counts, by_label(index, on, off, counts), index) / steps
        # In float64, as Python multiplies above.
        own = lengths.unsqueeze(1).double()
        on_off = [(own * rate * size).trunc().to(counts.dtype) for rate in rates]
        wanted = torch.where(by_label(index, 1, 0, counts) > 0, on_off[0], on_off[1])
        return self._squared_error(counts, wanted, index, own.to(counts.dtype))

    def _neurons_per_class(self, spikes: Tensor) -> int:
        return pool_size(spikes.shape[-1], self.num_classes) if self.population_code else 1


class mse_rate_loss(mse_count_loss):
    r"""Mean squared error of firing rates: :class:`mse_count_loss`, or that of real-valued rates.

    .. math::
        L = \mathrm{MSE}\Big(\frac1T\sum_t S[t],\ \rho\Big)
        \quad\text{with } \texttt{normalize}

    where neither the targets are rounded down to whole spikes nor the loss grows with ``T``. With a
    population code the rate is that of an average neuron of the class.

    Source: SLAYER (Shrestha & Orchard 2018); the name is that of Eshraghian et al. 2023.

    Args:
        correct_rate: Spikes per step of the correct class.
        incorrect_rate: Spikes per step of the others.
        population_code: Whether several output neurons stand for each class.
        num_classes: How many classes, then; class ``c`` owns the ``c``-th block of neurons.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, over batch and classes.
        weight: One factor per class; it scales the errors of the samples with that label.
        normalize: Compare rates and not counts.

    Shapes:
        As for :class:`mse_count_loss`.

    Raises:
        ValueError: for other shapes, or a ``num_classes`` that does not divide the outputs.

    Example:
        >>> import torch
        >>> from bitspike import functional as SF
        >>> loss = SF.mse_rate_loss(correct_rate=0.75, normalize=True)
        >>> loss(torch.ones(10, 1, 1), torch.tensor([0]))
        tensor(0.0625)
    """

    def __init__(
        self,
        correct_rate: float = 1,
        incorrect_rate: float = 0,
        population_code: bool = False,
        num_classes: int | bool = False,
        reduction: str = "mean",
        weight: Tensor | None = None,
        normalize: bool = False,
    ) -> None:
        super().__init__(
            correct_rate=correct_rate,
            incorrect_rate=incorrect_rate,
            population_code=population_code,
            num_classes=num_classes,
            reduction=reduction,
            weight=weight,
        )
        self.normalize = normalize

    def _compute_loss(
        self, spk_out: Tensor, targets: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        if not self.normalize:
            return super()._compute_loss(spk_out, targets, lengths)
        spikes = checked(spk_out)
        lengths = checked_lengths(lengths, spikes)
        index = labels(targets, spikes.shape[1], spikes.device)
        counts = class_counts(spikes, self.population_code, self.num_classes, lengths)
        rates = counts / (step_count(spikes, lengths) * self._neurons_per_class(spikes))
        wanted = by_label(index, self.correct_rate, self.incorrect_rate, rates)
        return self._squared_error(rates, wanted, index)
