"""Losses, accuracies and the regulariser against those of snnTorch 1.0."""

import pytest
import snntorch.functional as theirs
import torch

import bitspike.functional as SF
from helpers.compare import error, same_bits
from helpers.recordings import LABELS, WEIGHTS, B, C, T, loss_and_gradient, membranes, spikes

POOLED = torch.tensor([1, 0, 2, 1])
MULTI = dict(multi_spike=True, target_is_time=True)

BITS = {
    "ce_count_loss": (dict(), LABELS),
    "ce_count_loss weighted": (dict(weight=WEIGHTS), LABELS),
    "ce_count_loss none": (dict(reduction="none"), LABELS),
    "ce_count_loss sum": (dict(reduction="sum"), LABELS),
    "ce_count_loss none weighted": (dict(reduction="none", weight=WEIGHTS), LABELS),
    "ce_count_loss population": (dict(population_code=True, num_classes=3), POOLED),
    "ce_max_membrane_loss": (dict(), LABELS),
    "ce_max_membrane_loss weighted": (dict(weight=WEIGHTS), LABELS),
    "ce_max_membrane_loss sum": (dict(reduction="sum"), LABELS),
    "mse_count_loss": (dict(), LABELS),
    "mse_count_loss rates": (dict(correct_rate=0.79, incorrect_rate=0.21), LABELS),
    "mse_count_loss swapped": (dict(correct_rate=0.1, incorrect_rate=0.7), LABELS),
    "mse_count_loss sum": (dict(reduction="sum"), LABELS),
    "mse_count_loss none": (dict(reduction="none"), LABELS),
    "mse_count_loss population": (
        dict(population_code=True, num_classes=3, correct_rate=0.79, incorrect_rate=0.21),
        POOLED,
    ),
    "ce_temporal_loss": (dict(), LABELS),
    "ce_temporal_loss weighted": (dict(weight=WEIGHTS), LABELS),
    "ce_temporal_loss reciprocal": (dict(inverse="reciprocal"), LABELS),
    "ce_temporal_loss none": (dict(reduction="none"), LABELS),
    "mse_temporal_loss late": (dict(on_target=7, off_target=2), LABELS),
    "mse_temporal_loss negative": (dict(on_target=-1, off_target=0), LABELS),
    "mse_temporal_loss tolerant": (dict(on_target=7, off_target=2, tolerance=2), LABELS),
    "mse_temporal_loss times": (dict(target_is_time=True), torch.arange(B * C).view(B, C) % T),
}
CLOSE = {
    "ce_rate_loss": (dict(), LABELS),
    "ce_rate_loss weighted": (dict(weight=WEIGHTS), LABELS),
    "ce_rate_loss sum": (dict(reduction="sum"), LABELS),
    "ce_rate_loss none": (dict(reduction="none"), LABELS),
    "mse_membrane_loss": (dict(), LABELS),
    "mse_membrane_loss targets": (dict(on_target=0.8, off_target=0.1), LABELS),
    "mse_membrane_loss sum": (dict(reduction="sum"), LABELS),
    "mse_membrane_loss none": (dict(reduction="none"), LABELS),
}


def both(case, arguments, targets, seed):
    name = case.split()[0]
    recording = membranes(seed) if "membrane" in name else spikes(seed=seed)
    made = [getattr(functional, name)(**arguments) for functional in (SF, theirs)]
    assert made[0].__name__ == made[1].__name__ == name
    return [loss_and_gradient(loss, recording, targets.clone()) for loss in made]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", BITS)
def test_bits(case, seed):
    (value, gradient), (their_value, their_gradient) = both(case, *BITS[case], seed)
    assert same_bits(value, their_value)
    assert error(gradient, their_gradient) <= 1e-6


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", CLOSE)
def test_to_rounding(case, seed):
    (value, gradient), (their_value, their_gradient) = both(case, *CLOSE[case], seed)
    assert value.dtype == their_value.dtype and error(value, their_value) <= 1e-6
    assert error(gradient, their_gradient) <= 1e-6


def test_every_loss_is_compared():
    compared = {case.split()[0] for case in (*BITS, *CLOSE)}
    assert compared == {name for name in dir(theirs) if name.endswith("_loss")}


@pytest.mark.parametrize("tolerance", [0, 1, 3])
def test_spike_times(tolerance):
    x = spikes()
    ours = SF.SpikeTime(on_target=6, off_target=3, tolerance=tolerance)(x, LABELS)
    wanted = theirs.SpikeTime(on_target=6, off_target=3, tolerance=tolerance)(x, LABELS)
    for a, b in zip(ours, wanted, strict=True):
        assert same_bits(a, b)


def test_several_spike_times_of_one_neuron():
    # With more neurons snnTorch erases the spikes of others.
    x, times = spikes(shape=(T, 1, 1)), torch.tensor([1, 4, 9]).view(3, 1, 1)
    ours = SF.SpikeTime(**MULTI)(x, times)
    wanted = theirs.SpikeTime(**MULTI)(x, times.clone())
    for a, b in zip(ours, wanted, strict=True):
        assert torch.equal(a, b.float())


@pytest.mark.parametrize("density", [0.02, 0.1, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_accuracies(density, seed):
    x = spikes(density, (T, 40, C), seed)
    y = torch.randint(C, (40,))
    for name in ("accuracy_rate", "accuracy_temporal"):
        ours, wanted = getattr(SF, name)(x, y), getattr(theirs, name)(x, y)
        assert type(ours) is type(wanted) and ours == wanted
    pooled = dict(population_code=True, num_classes=2)
    assert SF.accuracy_rate(x, y % 2, **pooled) == theirs.accuracy_rate(x, y % 2, **pooled)


def test_l1():
    x = spikes()
    ours, wanted = SF.l1_rate_sparsity(1e-3), theirs.l1_rate_sparsity(1e-3)
    assert ours.__name__ == wanted.__name__ and ours.Lambda == wanted.Lambda
    assert same_bits(ours(x), wanted(x))
    assert SF.l1_rate_sparsity().Lambda == theirs.l1_rate_sparsity().Lambda


def test_names():
    for module in ("acc", "loss", "reg"):
        ours, wanted = getattr(SF, module), getattr(theirs, module)
        defined = {
            name
            for name, value in vars(wanted).items()
            if getattr(value, "__module__", None) == wanted.__name__ and name[0] != "_"
        }
        assert defined and defined <= set(dir(ours)) & set(dir(SF))
