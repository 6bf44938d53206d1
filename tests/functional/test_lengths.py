"""Padded batches: what a sample is worth does not depend on what stands behind its end.

The wanted results are those of the samples, each cut to its own length and read alone.
"""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import bitspike as snn
import bitspike.functional as SF
from bitspike import decode
from helpers.compare import same_bits
from helpers.recordings import LABELS, WEIGHTS, B, T, membranes, spikes

LENGTHS = torch.tensor([4, T, 1, 7])
OWN = torch.arange(T).unsqueeze(1) < LENGTHS  # [T, B]
SPIKES, MEMBRANES = spikes().double(), membranes().double()
TIMES = torch.tensor([0.0, 2, -1, 5, 3, -2]).double().repeat(B, 1)
MANY = {"on_target": (0, 2, 4), "off_target": (3, 5, -1), "multi_spike": True}

# Loss, arguments, recording, targets.
COUNTING = {
    "ce_count_loss": (SF.ce_count_loss, {}, SPIKES, LABELS),
    "ce_count_loss population": (SF.ce_count_loss, dict(population_code=True, num_classes=6)),
    "mse_count_loss": (SF.mse_count_loss, dict(correct_rate=0.8, incorrect_rate=0.3)),
    "mse_rate_loss": (SF.mse_rate_loss, dict(correct_rate=0.8, normalize=True)),
    "mse_rate_loss of counts": (SF.mse_rate_loss, dict(correct_rate=0.8)),
    "spike_max_loss": (SF.spike_max_loss, {}),
    "spike_max_loss softmax": (SF.spike_max_loss, dict(mode="softmax")),
}
TIMING = {
    "mse_temporal_loss": (SF.mse_temporal_loss, dict(tolerance=2)),
    "mse_temporal_loss several": (SF.mse_temporal_loss, MANY),
    "ce_temporal_loss": (SF.ce_temporal_loss, {}),
    "mse_relative_temporal_loss": (SF.mse_relative_temporal_loss, dict(margin=2)),
}
OTHERS = {
    "mse_temporal_loss times": (SF.mse_temporal_loss, dict(target_is_time=True), SPIKES, TIMES),
    "ce_rate_loss": (SF.ce_rate_loss, {}),
    "ce_max_membrane_loss": (SF.ce_max_membrane_loss, {}, MEMBRANES, LABELS),
    "mse_membrane_loss": (SF.mse_membrane_loss, dict(on_target=2), MEMBRANES, LABELS),
    "mse_membrane_loss in time": (
        SF.mse_membrane_loss,
        dict(time_var_targets=True),
        MEMBRANES,
        SPIKES,
    ),
    "spike_max_loss windows": (SF.spike_max_loss, dict(window=3)),
    "tet_loss": (SF.tet_loss, dict(lam=0.4), MEMBRANES, LABELS),
    "van_rossum_loss": (SF.van_rossum_loss, dict(tau=3.0), SPIKES, SPIKES.flip(0)),
}
LOSSES = {
    name: case if len(case) == 4 else (*case, SPIKES, LABELS)
    for name, case in (COUNTING | TIMING | OTHERS).items()
}
UNWEIGHTED = ("van_rossum_loss", "mse_membrane_loss in time", "mse_temporal_loss times")
WITH_ZERO = ("ce_count_loss", "ce_count_loss population", "van_rossum_loss")
DECODERS = {
    "rate": decode.rate,
    "rate earliest": lambda x, **options: decode.rate(x, "earliest", **options),
    "latency": decode.latency,
    "latency never": lambda x, **options: decode.latency(x, "never", **options),
    "population": lambda x, **options: decode.population(x, 3, **options),
    "population earliest": lambda x, **o: decode.population(x, 3, ties="earliest", **o),
    "population latency": lambda x, **o: decode.population(x, 3, "latency", **o),
    "early_exit": lambda x, **o: torch.stack(decode.early_exit(x, **o), -1),
    "early_exit margin": lambda x, **o: torch.stack(decode.early_exit(x, 2, **o), -1),
}
COUNTING_DECODERS = ("rate", "population")


def padded_with(x, garbage, lengths=LENGTHS):
    own = torch.arange(len(x)).unsqueeze(1) < lengths
    return torch.where(own.unsqueeze(-1), x, garbage)


def cut(x, b):
    """Sample ``b`` alone, to its own end; of targets without time, those of the sample."""
    return x[: LENGTHS[b], b : b + 1] if len(x) == T else x[b : b + 1]


def read(loss, x, targets, **options):
    """A loss and the gradient of its sum, weighted so that no two parts are alike."""
    x = x.detach().requires_grad_()
    value = loss(x, targets, **options)
    (gradient,) = torch.autograd.grad((value * _weights(value)).sum(), [x])
    return value.detach(), gradient


def one_by_one(loss, x, targets):
    x = x.detach().requires_grad_()
    values = [loss(cut(x, b), cut(targets, b)) for b in range(B)]
    if loss.reduction == "none":
        value = torch.cat(values, 0 if values[0].dim() == 1 else -2)
    else:
        value = sum(values) / (B if loss.reduction == "mean" else 1)
    (gradient,) = torch.autograd.grad((value * _weights(value)).sum(), [x])
    return value.detach(), gradient


def _weights(value):
    return torch.arange(1.0, value.numel() + 1, dtype=value.dtype).view_as(value)


REDUCED = [
    (case, weighted, reduction)
    for case in LOSSES
    for weighted in (False, True)
    for reduction in ("mean", "sum", "none")
    if not weighted or case not in UNWEIGHTED
    # This mean is divided by the weights of the whole batch, which no sample alone knows.
    if (case, weighted, reduction) != ("ce_temporal_loss", True, "mean")
]


@pytest.mark.parametrize("case, weighted, reduction", REDUCED)
def test_a_loss_is_that_of_samples_cut(case, weighted, reduction):
    kind, options, x, targets = LOSSES[case]
    weights = {"weight": WEIGHTS.double()} if weighted else {}
    loss = kind(**options, **weights, reduction=reduction)
    value, gradient = read(loss, padded_with(x, math.nan), targets, lengths=LENGTHS)
    wanted, wanted_gradient = one_by_one(loss, x, targets)
    assert value.shape == wanted.shape
    torch.testing.assert_close(value, wanted, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(gradient, wanted_gradient, rtol=1e-12, atol=1e-14)
    assert not gradient[~OWN].any()
    # The lengths matter: padded with silence the batch alone has another loss.
    if case not in ("ce_count_loss", "ce_count_loss population", "spike_max_loss"):
        assert not torch.allclose(loss(padded_with(x, 0.0), targets), wanted)


@pytest.mark.parametrize("case", ["van_rossum_loss", "mse_membrane_loss in time"])
def test_targets_behind_the_end_do_not_count(case):
    kind, options, x, targets = LOSSES[case]
    loss = kind(**options)
    wanted = read(loss, x, targets, lengths=LENGTHS)
    got = read(loss, x, padded_with(targets, math.inf), lengths=LENGTHS)
    assert all(same_bits(a, b) for a, b in zip(got, wanted, strict=True))


@pytest.mark.parametrize("case", LOSSES)
def test_full_lengths_are_none(case):
    kind, options, x, targets = LOSSES[case]
    loss = kind(**options)
    got = read(loss, x, targets, lengths=[T] * B)
    for a, b in zip(got, read(loss, x, targets), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("case", [name for name in LOSSES if LOSSES[name][2] is SPIKES])
def test_packed_losses(case):
    kind, options, x, targets = LOSSES[case]
    loss, targets = kind(**options), targets.float() if targets.is_floating_point() else targets
    x = padded_with(x, 1.0).float()  # spikes behind the ends
    before = snn.unpacked_operations()
    packed = snn.SpikeTensor.from_dense(x)
    value, gradient = read(loss, packed, targets, lengths=LENGTHS)
    read_as_bits = snn.unpacked_operations() == before
    assert read_as_bits == (case in COUNTING | TIMING or case == "mse_temporal_loss times")
    wanted, wanted_gradient = read(loss, x, targets, lengths=LENGTHS)
    assert same_bits(value, wanted) and torch.equal(gradient, wanted_gradient)


def test_by_hand():
    # Counts up to the ends are [[2, 1], [0, 0]], the first spikes [[1, 0], [-, -]].
    x = torch.tensor([[[0.0, 1], [0, 0]], [[1, 0], [0, 0]], [[1, 0], [0, 1]], [[1, 0], [0, 1]]])
    y, lengths = torch.tensor([0, 1]), torch.tensor([3, 2])
    # Wanted are int(3·0.9) = 2 and int(2·0.9) = 1 spikes, and none of the others.
    loss = SF.mse_count_loss(correct_rate=0.9, reduction="none")(x, y, lengths=lengths)
    torch.testing.assert_close(loss, torch.tensor([[0, 1 / 3], [0, 1 / 2]]))
    times, wanted = SF.SpikeTime()(x, y, lengths=lengths)
    assert times.tolist() == [[1, 0], [1, 1]] and wanted.tolist() == [[0, 2], [1, 0]]
    assert float(SF.accuracy_rate(x, y, lengths=lengths)) == 0.5
    assert float(SF.accuracy_rate(x, y)) == 1.0
    # Of two steps neuron 1 fires in the last one, and neuron 0 behind it.
    late = torch.tensor([[0.0, 0], [0, 1], [1, 0]]).unsqueeze(1)
    for spikes_of_late in (late, snn.SpikeTensor.from_dense(late)):
        assert decode.latency(spikes_of_late, "never", lengths=[2]).tolist() == [1]
        assert decode.latency(spikes_of_late, "last", lengths=[2]).tolist() == [0]
    assert decode.early_exit(x, margin=3, lengths=lengths).step.tolist() == [2, 1]


@pytest.mark.parametrize("case", DECODERS)
@pytest.mark.parametrize("seed", range(5))
def test_decoders(case, seed):
    x = spikes(0.2, seed=seed)
    wanted = torch.cat([DECODERS[case](cut(x, b)) for b in range(B)])
    for garbage in (1.0, math.nan):
        assert torch.equal(DECODERS[case](padded_with(x, garbage), lengths=LENGTHS), wanted)
    packed = snn.SpikeTensor.from_dense(padded_with(x, 1.0))
    before = snn.unpacked_operations()
    assert torch.equal(DECODERS[case](packed, lengths=LENGTHS), wanted)
    assert snn.unpacked_operations() == before
    assert torch.equal(DECODERS[case](x, lengths=[T] * B), DECODERS[case](x))


def test_what_stands_behind_would_decide():
    for case, decoder in DECODERS.items():
        answers = [decoder(spikes(0.2, seed=seed)) for seed in range(5)]
        cut_off = [decoder(spikes(0.2, seed=seed), lengths=LENGTHS) for seed in range(5)]
        assert any(not torch.equal(*pair) for pair in zip(answers, cut_off, strict=True)), case


@pytest.mark.parametrize("accuracy", [SF.accuracy_rate, SF.accuracy_temporal])
def test_accuracies(accuracy):
    for seed in range(5):
        x = spikes(0.2, seed=seed)
        wanted = sum(accuracy(cut(x, b), LABELS[b : b + 1]) for b in range(B)) / B
        assert accuracy(padded_with(x, 1.0), LABELS, lengths=LENGTHS) == wanted
        packed = snn.SpikeTensor.from_dense(padded_with(x, 1.0))
        assert accuracy(packed, LABELS, lengths=LENGTHS) == wanted


@pytest.mark.parametrize("make", [torch.Tensor.clone, snn.SpikeTensor.from_dense])
def test_victor_purpura(make):
    x, wanted = spikes(), spikes(seed=1)
    cut_off = [SF.victor_purpura(cut(x, b), cut(wanted, b), 0.5) for b in range(B)]
    padded = make(padded_with(x, 1.0)), make(padded_with(wanted, 0.0))
    assert torch.equal(SF.victor_purpura(*padded, 0.5, lengths=LENGTHS), torch.cat(cut_off))


@given(st.data())
def test_bits_of_any_shape(data):
    steps, batch = data.draw(st.integers(1, 9)), data.draw(st.integers(0, 3))
    neurons = data.draw(st.sampled_from([1, 2, 63, 64, 65, 130]))
    numbers = st.integers(1, steps)
    lengths = torch.tensor([data.draw(numbers) for _ in range(batch)], dtype=torch.int32)
    x = spikes(data.draw(st.sampled_from([0.0, 0.1, 0.6, 1.0])), (steps, batch, neurons))
    several = dict(on_target=(0, 1), off_target=(1, -1), multi_spike=True)
    index = torch.zeros(batch, dtype=torch.int64)
    for loss in (SF.mse_count_loss(reduction="sum"), SF.mse_temporal_loss(**several)):
        got = read(loss, snn.SpikeTensor.from_dense(x), index, lengths=lengths)
        for a, b in zip(got, read(loss, x, index, lengths=lengths), strict=True):
            assert same_bits(a, b)


CALLS = {
    **{
        case: lambda lengths, case=case: LOSSES[case][0](**LOSSES[case][1])(
            *LOSSES[case][2:], lengths=lengths
        )
        for case in LOSSES
    },
    **{
        case: lambda lengths, case=case: DECODERS[case](SPIKES, lengths=lengths)
        for case in DECODERS
    },
    "SpikeTime": lambda lengths: SF.SpikeTime()(SPIKES, LABELS, lengths=lengths),
    "accuracy_rate": lambda lengths: SF.accuracy_rate(SPIKES, LABELS, lengths=lengths),
    "accuracy_temporal": lambda lengths: SF.accuracy_temporal(SPIKES, LABELS, lengths=lengths),
    "victor_purpura": lambda n: SF.victor_purpura(SPIKES, SPIKES.flip(0), 0.5, lengths=n),
}
BAD = {
    "shape": ([1] * (B + 1), ValueError),
    "no axis": (T, ValueError),
    "fractions": ([1.0, 1.5, 1.0, 1.0], ValueError),
    "not a number": ([1.0, math.nan, 1.0, 1.0], ValueError),
    "booleans": ([True] * B, TypeError),
    "negative": ([1, 1, -1, 1], ValueError),
    "long": ([1, 1, T + 1, 1], ValueError),
    "words": ("all", TypeError),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("case", CALLS)
def test_bad_lengths(case, bad):
    lengths, kind = BAD[bad]
    with pytest.raises(kind, match="lengths must"):
        CALLS[case](lengths)


@pytest.mark.parametrize("case", CALLS)
def test_samples_without_a_step(case):
    lengths = [0, T, 3, 0]
    if case in (*WITH_ZERO, *COUNTING_DECODERS, "accuracy_rate", "victor_purpura"):
        CALLS[case](lengths)
    else:
        with pytest.raises(ValueError, match="lengths must be from 1 to the 11 steps"):
            CALLS[case](lengths)


def test_a_loss_of_a_user_that_has_no_lengths():
    class Sum(SF.LossFunctions):
        def _compute_loss(self, spk_out, targets):
            return spk_out.sum()

    assert Sum()(SPIKES, None) == SPIKES.sum()
    with pytest.raises(TypeError, match="lengths"):
        Sum()(SPIKES, None, lengths=LENGTHS)
