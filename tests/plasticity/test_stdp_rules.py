"""Plasticity of one step: snnTorch's numbers, and some by hand."""

import warnings

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.functional import stdp_learner
from helpers.compare import error, same_bits

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from snntorch.functional import stdp_learner as theirs

STEPS, B = 7, 3
TAUS = (2.0, 5.0)


def spikes(*shape):
    return (torch.rand(shape) < 0.4).float()


SCALES = {
    "weight": (),
    "additive": (lambda w: 0.1, lambda w: 0.25),
    "soft": (torch.sigmoid, lambda w: (1 - w).clamp(min=0) ** 2),
}
LAYERS = {
    "linear": (lambda: nn.Linear(6, 5), (B, 6), (B, 5)),
    "one sample": (lambda: nn.Linear(6, 5), (1, 6), (1, 5)),
    "conv1d": (lambda: nn.Conv1d(2, 4, 3), (B, 2, 9), (B, 4, 7)),
    "conv1d stride": (lambda: nn.Conv1d(2, 4, 3, 2, 1), (B, 2, 8), (B, 4, 4)),
    "conv1d circular": (
        lambda: nn.Conv1d(2, 4, 3, padding=1, padding_mode="circular"),
        (B, 2, 8),
        (B, 4, 8),
    ),
    "conv2d": (lambda: nn.Conv2d(2, 4, 3), (B, 2, 6, 5), (B, 4, 4, 3)),
    "conv2d odd": (
        lambda: nn.Conv2d(2, 4, (3, 2), stride=(2, 3), padding=(2, 1)),
        (B, 2, 6, 5),
        (B, 4, 4, 2),
    ),
    "conv2d reflect": (
        lambda: nn.Conv2d(1, 2, 3, padding=(2, 1), padding_mode="reflect"),
        (B, 1, 6, 5),
        (B, 2, 8, 5),
    ),
}


def rule(library, layer):
    kind = type(layer).__name__.lower()
    return getattr(library, f"stdp_{kind}_single_step")


@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("case", LAYERS)
def test_stdp_equals_snntorch(case, scales):
    make, into, out = LAYERS[case]
    layer = make()
    traces = [(None, None), (None, None)]
    for _ in range(STEPS):
        x, y = spikes(*into), spikes(*out)
        results = [
            rule(library, layer)(layer, x, y, *given, *TAUS, *SCALES[scales])
            for library, given in zip((stdp_learner, theirs), traces, strict=True)
        ]
        (*ours, change), (*wanted, their_change) = results
        assert all(same_bits(a, b) for a, b in zip(ours, wanted, strict=True))
        assert error(change, their_change) < 1e-6
        traces = [ours, wanted]
    assert change.any() and not change.requires_grad


@pytest.mark.parametrize("scales", SCALES)
def test_eligibilities_equal_snntorchs(scales):
    fc = nn.Linear(6, 5)
    traces = [(None, None), (None, None)]
    for _ in range(STEPS):
        x, y = spikes(B, 6), spikes(B, 5)
        results = [
            library.mstdp_linear_single_step(fc, x, y, *given, *TAUS, *SCALES[scales])
            for library, given in zip((stdp_learner, theirs), traces, strict=True)
        ]
        assert all(same_bits(a, b) for a, b in zip(*results, strict=True))
        assert results[0][2].shape == (B, 5, 6)
        traces = [result[:2] for result in results]


def test_eligibilities_of_one_sample_equal_snntorchs():
    fc = nn.Linear(6, 5)
    traces = [(None, None), (None, None)]
    for _ in range(STEPS):
        x, y = spikes(6), spikes(5)
        results = [
            library.mstdpet_linear_single_step(fc, x, y, *given, *TAUS, 10.0)
            for library, given in zip((stdp_learner, theirs), traces, strict=True)
        ]
        assert all(same_bits(a, b) for a, b in zip(*results, strict=True))
        traces = [result[:2] for result in results]


def test_a_pair_of_spikes_by_hand():
    fc = nn.Linear(1, 1)
    fires, silent = torch.ones(1, 1), torch.zeros(1, 1)

    def run(*pairs):
        x = y = None
        changes = []
        for pair in pairs:
            x, y, change = stdp_learner.stdp_linear_single_step(
                fc, *pair, x, y, 4.0, 2.0, lambda w: 10.0, lambda w: 1.0
            )
            changes.append(change.item())
        return changes

    # The input's trace falls to 3/4 a step, the output's to 1/2.
    assert run((fires, silent), (silent, silent), (silent, fires)) == [0, 0, 0.75**2]
    assert run((silent, fires), (silent, silent), (fires, silent)) == [0, 0, -10 * 0.5**2]
    assert run((fires, fires)) == [1 - 10]


def test_same_padding():
    # Of a kernel of 4, one place more lies behind the input than before it.
    conv, x, y = nn.Conv1d(1, 1, 4, padding="same"), spikes(2, 1, 6), spikes(2, 1, 6)
    bare = nn.Conv1d(1, 1, 4)
    bare.weight = conv.weight
    padded = nn.functional.pad(x, (1, 2))
    results = [
        stdp_learner.stdp_conv1d_single_step(layer, given, y, None, None, *TAUS)
        for layer, given in ((conv, x), (bare, padded))
    ]
    assert all(same_bits(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("case", LAYERS)
def test_packed_spikes(case):
    make, into, out = LAYERS[case]
    layer, x, y = make(), spikes(*into), spikes(*out)
    bits = [snn.SpikeTensor.from_dense(s, s.dim() - 1) for s in (x, y)]
    step = rule(stdp_learner, layer)
    for _ in range(2):
        dense, packed = (step(layer, *s, None, None, *TAUS) for s in ((x, y), bits))
        assert all(same_bits(a, b) for a, b in zip(dense[:2], packed[:2], strict=True))
        assert error(packed[2], dense[2]) < 1e-6


def test_products_of_packed_spikes_stay_packed():
    x, y = (snn.SpikeTensor.from_dense(spikes(B, n), 1) for n in (70, 130))
    before = sum(snn.unpacked_operations().values())
    stdp_learner.stdp_linear_single_step(nn.Linear(70, 130), x, y, None, None, *TAUS)
    # Once each, where they are added to the traces.
    assert sum(snn.unpacked_operations().values()) == before + 2


def test_double():
    fc, x, y = nn.Linear(6, 5).double(), spikes(B, 6).double(), spikes(B, 5).double()
    results = stdp_learner.stdp_linear_single_step(fc, x, y, None, None, *TAUS)
    assert {value.dtype for value in results} == {torch.float64}


@pytest.mark.parametrize(
    "layer, x, y, message",
    [
        (nn.Linear(6, 5), (B, 7), (B, 5), r"in_spike must be \[3, 6\] here, not \[3, 7\]"),
        (nn.Linear(6, 5), (B, 6), (B, 6), r"out_spike must be \[3, 5\] here, not \[3, 6\]"),
        (nn.Linear(6, 5), (B, 6), (1, 5), r"out_spike must be \[3, 5\] here, not \[1, 5\]"),
        (nn.Linear(6, 5), (6,), (5,), r"in_spike must be \[6, 6\] here, not \[6\]"),
        (nn.Conv1d(2, 4, 3), (B, 9), (B, 4, 7), r"in_spike must be \[B, 2, \*\] for this"),
        (nn.Conv2d(2, 4, 3), (B, 3, 6, 5), (B, 4, 4, 3), r"in_spike must be \[B, 2, \*, \*\]"),
        (
            nn.Conv2d(2, 4, 3),
            (B, 2, 6, 5),
            (B, 4, 4, 4),
            r"out_spike must be \[3, 4, 4, 3\] here, not \[3, 4, 4, 4\]",
        ),
    ],
)
def test_shapes_that_do_not_fit(layer, x, y, message):
    with pytest.raises(ValueError, match=message):
        rule(stdp_learner, layer)(layer, spikes(*x), spikes(*y), None, None, *TAUS)


@pytest.mark.parametrize("layer", [nn.Conv1d(2, 4, 2, dilation=2), nn.Conv2d(2, 4, 2, groups=2)])
def test_dilation_and_groups(layer):
    size = (5,) * (layer.weight.dim() - 2)
    with pytest.raises(NotImplementedError, match="STDP of a convolution with (dilation|groups)="):
        rule(stdp_learner, layer)(
            layer, spikes(B, 2, *size), spikes(B, 4, *size), None, None, *TAUS
        )


def test_time_constants():
    fc, x, y = nn.Linear(2, 2), spikes(1, 2), spikes(1, 2)
    for name in ("stdp", "mstdp"):
        step = getattr(stdp_learner, f"{name}_linear_single_step")
        with pytest.raises(ValueError, match="tau_pre must be a positive number of steps, not 0"):
            step(fc, x, y, None, None, 0, 2.0)
        with pytest.raises(ValueError, match="tau_post must be a positive number of steps, not -1"):
            step(fc, x, y, None, None, 2.0, -1)
    with pytest.raises(ValueError, match="tau_trace must be a positive number of steps, not 0"):
        stdp_learner.mstdpet_linear_single_step(fc, x[0], y[0], None, None, 2.0, 2.0, 0)
