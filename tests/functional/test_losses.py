"""Losses by hand, on recordings of a few steps.

Where snnTorch 1.0 gets them wrong, a test says what it does, and what is right.
"""

import math

import pytest
import snntorch.functional as theirs
import torch

import bitspike.functional as SF
from helpers.recordings import LABELS, WEIGHTS, B, loss_and_gradient, membranes, spikes

# Two samples, two neurons, four steps: counts [[3, 1], [0, 2]], first spikes [[1, 0], [3, 2]].
TRAIN = torch.tensor(
    [[[0.0, 1], [0, 0]], [[1, 0], [0, 0]], [[1, 0], [0, 1]], [[1, 0], [0, 1]]],
)
Y = torch.tensor([0, 1])
W = torch.tensor([2.0, 0.5])
LN2 = math.log(2)


def nll(right, *others):
    return math.log(sum(math.exp(x - right) for x in (right, *others)))


# Loss, recording, and its value for each sample: of sum and mean, weighted or not.
PER_SAMPLE = {
    "ce_rate_loss": (
        dict(),
        TRAIN,
        [(nll(0, 1) + 3 * nll(1, 0)) / 4, (2 * LN2 + 2 * nll(1, 0)) / 4],
    ),
    "ce_count_loss": (dict(), TRAIN, [nll(3, 1), nll(2, 0)]),
    "ce_max_membrane_loss": (dict(), TRAIN * 3 - 1, [LN2, nll(2, -1)]),
}
# The squared errors of each sample and class.
PER_CLASS = {
    "mse_count_loss": (dict(), TRAIN, [[1 / 4, 1 / 4], [0.0, 4 / 4]]),
    # Wanted are int(4·0.9) = 3 spikes and int(4·0.3) = 1.
    "mse_count_loss rates": (
        dict(correct_rate=0.9, incorrect_rate=0.3),
        TRAIN,
        [[0.0, 0.0], [1 / 4, 1 / 4]],
    ),
    "mse_rate_loss": (dict(), TRAIN, [[1 / 4, 1 / 4], [0.0, 4 / 4]]),
    "mse_rate_loss normalized": (
        dict(correct_rate=0.9, incorrect_rate=0.3, normalize=True),
        TRAIN,
        [[0.15**2, 0.05**2], [0.3**2, 0.4**2]],
    ),
    "mse_membrane_loss": (
        dict(on_target=2, off_target=-1),
        TRAIN,
        [[(4 + 1 + 1 + 1) / 4, (4 + 1 + 1 + 1) / 4], [1.0, (4 + 4 + 1 + 1) / 4]],
    ),
    # Wanted are [[0, 3], [3, 0]].
    "mse_temporal_loss": (dict(), TRAIN, [[1 / 16, 9 / 16], [0.0, 4 / 16]]),
    # Neuron 1 of sample 0 fires before 1 + 2, neuron 0 of sample 1 before 2 + 2.
    "mse_relative_temporal_loss": (dict(margin=2), TRAIN, [[0.0, 9 / 16], [1 / 16, 0.0]]),
    "mse_relative_temporal_loss none early": (dict(margin=-1), TRAIN, [[0.0, 0.0], [0.0, 0.0]]),
}
WITH_AXIS = {"ce_rate_loss", "mse_membrane_loss"}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", [*PER_SAMPLE, *PER_CLASS])
def test_by_hand(case, weighted):
    arguments, recording, values = (PER_SAMPLE | PER_CLASS)[case]
    name, wanted = case.split()[0], torch.tensor(values)
    if weighted:
        wanted = wanted * (W[Y] if wanted.dim() == 1 else W[Y].unsqueeze(1))
        arguments = arguments | dict(weight=W)
    axis = name in WITH_AXIS and not weighted
    for reduction, total in (("mean", wanted.mean()), ("sum", wanted.sum()), ("none", wanted)):
        loss = getattr(SF, name)(reduction=reduction, **arguments)
        total = total.reshape(1) if axis and reduction != "none" else total
        torch.testing.assert_close(loss(recording, Y), total, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "inverse, values",
    [("negate", [nll(-1, 0), nll(-2, -3)]), ("reciprocal", [nll(1 / 2, 1), nll(1 / 3, 1 / 4)])],
)
def test_cross_entropy_of_times(inverse, values):
    torch.testing.assert_close(SF.ce_temporal_loss(inverse, "none")(TRAIN, Y), torch.tensor(values))
    # The weighted mean is that of torch.
    weighted = SF.ce_temporal_loss(inverse, weight=W)(TRAIN, Y)
    expected = (2 * values[0] + 0.5 * values[1]) / 2.5
    torch.testing.assert_close(weighted, torch.tensor(expected))


def test_gradients_by_hand():
    _, gradient = loss_and_gradient(SF.mse_count_loss(), TRAIN, Y)
    # 2·(count - wanted)/(T·B·C) at every step.
    expected = 2 * torch.tensor([[-1.0, 1], [0, -2]]) / 16
    assert torch.equal(gradient, expected.expand_as(TRAIN))
    _, gradient = loss_and_gradient(SF.mse_temporal_loss(), TRAIN, Y)
    # -1 times 2·(f - wanted)/(T²·B·C) at the time of the first spike alone.
    expected = torch.zeros_like(TRAIN)
    expected[1, 0, 0], expected[0, 0, 1], expected[2, 1, 1] = -2 / 64, 6 / 64, -4 / 64
    assert torch.equal(gradient, expected)
    _, gradient = loss_and_gradient(SF.ce_max_membrane_loss(), TRAIN.cumsum(0), Y)
    assert gradient[:-1, 0, 0].abs().sum() == 0 and gradient[-1, 0, 0] < 0


@pytest.mark.parametrize("detach, gradient", [(True, [0.0, 1 / 8]), (False, [-1 / 8, 1 / 8])])
def test_relative_times_push_the_others_alone(detach, gradient):
    # Times 1 and 2 with a margin of 3: the error is (2 - 4)/4, and dL/df = 2·(2 - 4)/(4²·2).
    train = torch.tensor([[0.0, 0], [1, 0], [0, 1], [0, 0]]).unsqueeze(1)
    loss = SF.mse_relative_temporal_loss(3, detach_target=detach)
    value, got = loss_and_gradient(loss, train, torch.tensor([0]))
    assert value == (2 / 4) ** 2 / 2
    assert [got[1, 0, 0], got[2, 0, 1]] == pytest.approx(gradient)


@pytest.mark.parametrize(
    "name", ["ce_rate_loss", "ce_count_loss", "mse_count_loss", "mse_rate_loss"]
)
def test_populations(name):
    x, y = spikes(shape=(7, 3, 6)), torch.tensor([2, 0, 1])
    pooled = torch.stack([x[..., 0:2], x[..., 2:4], x[..., 4:6]], 2)
    arguments = dict(population_code=True, num_classes=3)
    got = getattr(SF, name)(**arguments)(x, y)
    if name == "ce_rate_loss":
        expected = SF.ce_rate_loss()(pooled.mean(-1), y)
    elif name == "ce_count_loss":
        expected = SF.ce_count_loss()(pooled.sum(-1), y)
    else:
        # Two neurons may fire twice as often.
        expected = SF.mse_count_loss(correct_rate=2)(pooled.sum(-1), y)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=0)


def test_normalized_populations():
    x, y = torch.ones(4, 1, 6), torch.tensor([1])
    loss = SF.mse_rate_loss(0.5, 0.25, population_code=True, num_classes=2, normalize=True)
    torch.testing.assert_close(loss(x, y), torch.tensor((0.5**2 + 0.75**2) / 2))


def test_rate_loss_is_count_loss():
    for arguments in (dict(), dict(weight=WEIGHTS), dict(correct_rate=0.7, incorrect_rate=0.2)):
        x = spikes()
        rate, count = SF.mse_rate_loss(**arguments), SF.mse_count_loss(**arguments)
        assert torch.equal(rate(x, LABELS), count(x, LABELS))
        assert rate.__name__ == "mse_rate_loss"


def test_counts_are_truncated():
    # int(100·0.29) is 28.
    assert SF.mse_count_loss(correct_rate=0.29)(torch.ones(100, 1, 1), Y[:1]) == 72**2 / 100


def test_potentials_for_each_step():
    mem, wanted = membranes(), membranes(1)
    loss = SF.mse_membrane_loss(time_var_targets=True)
    torch.testing.assert_close(loss(mem, wanted), ((mem - wanted) ** 2).mean().reshape(1))
    assert loss(mem.unsqueeze(-1), wanted.unsqueeze(-1)).shape == (1,)


def test_rate_loss_of_populations_needs_no_weight():
    arguments = dict(population_code=True, num_classes=3)
    with pytest.raises(TypeError):
        theirs.ce_rate_loss(**arguments)(spikes(), LABELS % 3)
    loss = SF.ce_rate_loss(**arguments)
    # Which neuron of a class fires does not matter.
    swapped = spikes()[..., [1, 0, 3, 2, 5, 4]]
    torch.testing.assert_close(loss(spikes(), LABELS % 3), loss(swapped, LABELS % 3))


def test_populations_keep_their_dtype():
    arguments = dict(population_code=True, num_classes=3)
    x = spikes().double()
    assert theirs.ce_count_loss(**arguments)(x, LABELS % 3).dtype == torch.float32
    assert SF.ce_count_loss(**arguments)(x, LABELS % 3).dtype == torch.float64


def test_potentials_may_vary_over_time():
    with pytest.raises(RuntimeError, match="dimensions"):
        theirs.mse_membrane_loss(time_var_targets=True)(membranes(), membranes(1))
    loss = SF.mse_membrane_loss(time_var_targets=True)
    assert loss(membranes(), membranes()) == 0 < loss(membranes(), membranes(1))


@pytest.mark.parametrize("name", ["ce_rate_loss", "ce_count_loss", "ce_max_membrane_loss"])
def test_weighted_sums_are_summed(name):
    assert getattr(theirs, name)(reduction="sum", weight=WEIGHTS)(spikes(), LABELS).shape == (B,)
    each = getattr(SF, name)(reduction="none", weight=WEIGHTS)(spikes(), LABELS)
    torch.testing.assert_close(
        getattr(SF, name)(reduction="sum", weight=WEIGHTS)(spikes(), LABELS), each.sum()
    )


@pytest.mark.parametrize("name", ["mse_count_loss", "mse_membrane_loss", "mse_temporal_loss"])
def test_weights_of_squared_errors_belong_to_samples(name):
    arguments = dict(weight=WEIGHTS, reduction="none")
    with pytest.raises(RuntimeError, match="must match the size"):
        getattr(theirs, name)(**arguments)(spikes(), LABELS)
    plain = getattr(SF, name)(reduction="none")(spikes(), LABELS)
    weighted = getattr(SF, name)(**arguments)(spikes(), LABELS)
    torch.testing.assert_close(weighted, plain * WEIGHTS[LABELS].unsqueeze(1))


def test_weighted_means_are_not_divided_by_the_weights():
    # As there, and unlike torch's cross-entropy.
    each = SF.ce_count_loss(reduction="none")(spikes(), LABELS)
    expected = (each * WEIGHTS[LABELS]).mean()
    for functional in (SF, theirs):
        torch.testing.assert_close(
            functional.ce_count_loss(weight=WEIGHTS)(spikes(), LABELS), expected
        )


DOUBLE = torch.float64


@pytest.mark.parametrize(
    "name",
    [name for name in dir(SF) if name.endswith("_loss") and name != "van_rossum_loss"],
)
def test_dtypes(name):
    arguments = dict(margin=1) if "relative" in name else {}
    x = membranes() if "membrane" in name else spikes()
    loss = getattr(SF, name)(**arguments)
    for dtype, wanted in ((DOUBLE, DOUBLE), (torch.bfloat16, torch.float32)):
        value, gradient = loss_and_gradient(loss, x.to(dtype), LABELS)
        assert value.dtype == wanted and gradient.dtype == dtype
    if "membrane" not in name:
        assert torch.equal(loss(x.bool(), LABELS), loss(x, LABELS))
        assert torch.equal(loss(x.to(torch.bfloat16), LABELS), loss(x, LABELS))
    weighted = getattr(SF, name)(weight=WEIGHTS, **arguments)
    assert weighted(x.double(), LABELS).dtype == DOUBLE
