"""SpikeMax and TET, against closed forms and autograd."""

import math

import pytest
import torch
from torch.nn import functional as F

import bitspike.functional as SF
from helpers.recordings import LABELS, WEIGHTS, loss_and_gradient, membranes, spikes

# SpikeMax


def test_shares_of_spikes_by_hand():
    # Counts 3, 1 and 0 of 4 spikes, where none counts as one.
    x = torch.tensor([[1.0, 0, 0], [1, 1, 0], [1, 0, 0]]).unsqueeze(1)
    for label, share in enumerate((3 / 5, 1 / 5, 1 / 5)):
        value, gradient = loss_and_gradient(SF.spike_max_loss(), x, torch.tensor([label]))
        assert value.item() == pytest.approx(-math.log(share))
        shares = torch.tensor([3 / 5, 1 / 5, 1 / 5])
        shares[label] -= 1
        expected = (shares / torch.tensor([3.0, 1, 1])).expand_as(x)
        torch.testing.assert_close(gradient, expected)


def test_rates_of_windows_are_softmaxed():
    x = spikes()
    for window in (1, 4, 11, 30):
        rates = torch.stack([x[max(0, t + 1 - window) : t + 1].sum(0) for t in range(len(x))])
        per_step = [F.cross_entropy(r, LABELS, reduction="none") for r in rates / window]
        wanted = torch.stack(per_step).mean(0)
        got = SF.spike_max_loss(window, "softmax", "none")(x, LABELS)
        torch.testing.assert_close(got, wanted)
        fired = rates.clamp(min=1)
        shares = (fired / fired.sum(-1, keepdim=True)).gather(
            2, LABELS.expand(len(x), -1)[..., None]
        )
        got = SF.spike_max_loss(window)(x, LABELS)
        torch.testing.assert_close(got, -shares.log().mean())
    whole = SF.spike_max_loss(None, "softmax")(x, LABELS)
    torch.testing.assert_close(whole, F.cross_entropy(x.mean(0), LABELS))


# TET


@pytest.mark.parametrize("lam, phi", [(0.0, 3.0), (1.0, 3.0), (0.05, 1.0), (0.4, -0.5)])
def test_entropy_of_steps_and_pull(lam, phi):
    x = membranes()
    entropy = torch.stack([F.cross_entropy(step, LABELS) for step in x]).mean()
    wanted = (1 - lam) * entropy + lam * ((x - phi) ** 2).mean()
    torch.testing.assert_close(SF.tet_loss(lam, phi)(x, LABELS), wanted)


# Both

LOSSES = {
    "spike_max_loss": SF.spike_max_loss,
    "spike_max_loss windows": lambda **options: SF.spike_max_loss(3, **options),
    "spike_max_loss softmax": lambda **options: SF.spike_max_loss(mode="softmax", **options),
    "tet_loss": lambda **options: SF.tet_loss(0.3, **options),
}


@pytest.mark.parametrize("case", LOSSES)
def test_reductions_and_weights(case):
    make = LOSSES[case]
    x = spikes()
    each = make(reduction="none")(x, LABELS)
    assert each.shape == (4,) and make().__name__ == case.split()[0]
    torch.testing.assert_close(make()(x, LABELS), each.mean())
    torch.testing.assert_close(make(reduction="sum")(x, LABELS), each.sum())
    weighted = each * WEIGHTS[LABELS]
    for reduction, wanted in (
        ("none", weighted),
        ("mean", weighted.mean()),
        ("sum", weighted.sum()),
    ):
        got = make(reduction=reduction, weight=WEIGHTS)(x, LABELS)
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("case", LOSSES)
def test_gradients(case):
    # More than one spike of each neuron in each window, where there is no bound.
    x = (membranes().double().abs() + 1.5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: LOSSES[case]()(x, LABELS), x)
