"""Losses of packed spikes, in programs, and of what has no sense."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import bitspike as snn
import bitspike.functional as SF
from helpers.compare import error, same_bits
from helpers.recordings import LABELS, WEIGHTS, loss_and_gradient, membranes, spikes

COUNTING = {
    "ce_count_loss": SF.ce_count_loss(),
    "ce_count_loss weighted": SF.ce_count_loss(weight=WEIGHTS),
    "mse_count_loss": SF.mse_count_loss(0.8, 0.2),
    "mse_count_loss weighted": SF.mse_count_loss(weight=WEIGHTS),
    "mse_rate_loss": SF.mse_rate_loss(0.8, 0.2, normalize=True),
    "spike_max_loss": SF.spike_max_loss(),
    "spike_max_loss softmax": SF.spike_max_loss(mode="softmax"),
}
TIMING = {
    "mse_temporal_loss": SF.mse_temporal_loss(tolerance=2),
    "mse_temporal_loss several": SF.mse_temporal_loss(
        on_target=(0, 2, 4), off_target=(3, 5, -1), multi_spike=True
    ),
    "ce_temporal_loss": SF.ce_temporal_loss(),
    "ce_temporal_loss reciprocal": SF.ce_temporal_loss("reciprocal"),
    "mse_relative_temporal_loss": SF.mse_relative_temporal_loss(2),
}
POOLING = {
    "ce_count_loss population": SF.ce_count_loss(True, 6),
    "mse_count_loss population": SF.mse_count_loss(0.8, 0.2, True, 6),
    "mse_rate_loss population": SF.mse_rate_loss(0.8, 0.2, True, 6, normalize=True),
}
OTHERS = {
    "ce_rate_loss": SF.ce_rate_loss(),
    "ce_rate_loss weighted": SF.ce_rate_loss(weight=WEIGHTS),
    "ce_max_membrane_loss": SF.ce_max_membrane_loss(),
    "mse_membrane_loss": SF.mse_membrane_loss(),
    "spike_max_loss windows": SF.spike_max_loss(4),
    "tet_loss": SF.tet_loss(),
}
LOSSES = COUNTING | TIMING | POOLING | OTHERS


def recording(case):
    return spikes(shape=(9, 4, 78)) if case in POOLING else spikes(shape=(9, 4, 6))


@pytest.mark.parametrize("case", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_packed_is_dense(case, dtype):
    dense = recording(case).to(dtype)
    packed = snn.SpikeTensor.from_dense(dense)
    before = snn.unpacked_operations()
    value, gradient = loss_and_gradient(LOSSES[case], packed, LABELS)
    counted = snn.unpacked_operations() == before
    assert counted == (case not in OTHERS)
    wanted, wanted_gradient = loss_and_gradient(LOSSES[case], dense, LABELS)
    assert same_bits(value, wanted) and type(value) is torch.Tensor
    assert same_bits(gradient, wanted_gradient)


@pytest.mark.parametrize("case", COUNTING | POOLING)
def test_all_steps_share_the_gradient_of_a_count(case):
    x = snn.SpikeTensor.from_dense(recording(case)).requires_grad_()
    (gradient,) = torch.autograd.grad(LOSSES[case](x, LABELS), [x])
    # It takes no memory for the steps, and neurons read it in place.
    assert gradient.shape == x.shape and gradient.stride()[0] == 0


@pytest.mark.parametrize("case", LOSSES)
def test_dense_spikes(case):
    x = recording(case)
    steps = x.as_subclass(snn.DenseSpikes)
    value = LOSSES[case](steps, LABELS)
    assert type(value) is torch.Tensor and torch.equal(value, LOSSES[case](x, LABELS))


@pytest.mark.parametrize("population", [False, True])
def test_accuracy_counts_bits(population):
    x, y = spikes(0.4, (9, 50, 72)), torch.randint(6, (50,))
    packed = snn.SpikeTensor.from_dense(x)
    before = snn.unpacked_operations()
    got = SF.accuracy_rate(packed, y, population, 6)
    assert snn.unpacked_operations() == before
    assert got == SF.accuracy_rate(x, y, population, 6)


def test_accuracy_reads_times_off_bits():
    x, y = spikes(0.2, (9, 50, 72)), torch.randint(72, (50,))
    packed = snn.SpikeTensor.from_dense(x)
    before = snn.unpacked_operations()
    got = SF.accuracy_temporal(packed, y)
    assert snn.unpacked_operations() == before
    assert got == SF.accuracy_temporal(x, y)


@given(
    steps=st.integers(1, 9),
    batch=st.integers(1, 5),
    classes=st.integers(1, 70),
    density=st.sampled_from([0.0, 0.1, 0.9, 1.0]),
    seed=st.integers(0, 99),
)
def test_shapes(steps, batch, classes, density, seed):
    x = spikes(density, (steps, batch, classes), seed)
    y = torch.arange(batch) % classes
    packed = snn.SpikeTensor.from_dense(x)
    for loss in (SF.ce_count_loss(), SF.mse_count_loss(), SF.mse_temporal_loss()):
        assert same_bits(loss(packed, y), loss(x, y))
    assert SF.accuracy_rate(packed, y) == (x.sum(0).argmax(1) == y).float().mean()


def test_training_through_packed_spikes():
    net = torch.nn.Linear(20, 6)
    lif = snn.Leaky(beta=0.9, multi_step=True)
    x = torch.rand(9, 4, 20)
    gradients = []
    for change in (lambda s: s, lambda s: s + 0.0):
        packed, mem = lif(net(x), lif.init_leaky())
        assert type(packed) is snn.SpikeTensor
        loss = SF.mse_count_loss(0.8, 0.2)(change(packed), LABELS)
        (loss + SF.l1_rate_sparsity()(packed) + SF.mse_membrane_loss()(mem, LABELS)).backward()
        gradients.append(net.weight.grad.clone())
        net.zero_grad()
    assert gradients[0].abs().max() > 0 and error(*gradients) <= 1e-6


@pytest.mark.parametrize("packed", [False, True], ids=["dense", "packed"])
@pytest.mark.parametrize("case", [*COUNTING, *TIMING, *OTHERS])
def test_compiled(case, packed):
    torch.compiler.reset()
    x = snn.SpikeTensor.from_dense(spikes()) if packed else spikes()
    compiled = torch.compile(LOSSES[case].__call__, fullgraph=True, backend="aot_eager")
    value, gradient = loss_and_gradient(compiled, x, LABELS)
    wanted, wanted_gradient = loss_and_gradient(LOSSES[case], x, LABELS)
    torch.testing.assert_close(value, wanted)
    torch.testing.assert_close(gradient, wanted_gradient)


# What has no sense


def test_population_codes_need_classes():
    for call in (SF.ce_rate_loss(True), SF.ce_count_loss(True), SF.mse_count_loss(1, 0, True)):
        with pytest.raises(ValueError, match="num_classes must be given"):
            call(spikes(), LABELS)
    with pytest.raises(ValueError, match="num_classes is 4, which does not divide 6 outputs"):
        SF.accuracy_rate(spikes(), LABELS, True, 4)


@pytest.mark.parametrize("case", LOSSES)
def test_shapes_are_checked(case):
    for shape in ((4, 6), (0, 4, 6), (9, 4, 6, 1)):
        with pytest.raises(ValueError, match=r"(spk|mem)_out must be \[T, B, C\]"):
            LOSSES[case](torch.zeros(shape), LABELS)
    with pytest.raises(ValueError, match="targets must hold one label for each of the 4 samples"):
        LOSSES[case](recording(case), LABELS[:3])


@pytest.mark.parametrize("shape", [(3, 6), (11, 4, 6), (5,)], ids=str)
def test_times_are_checked(shape):
    with pytest.raises(ValueError, match=r"targets must be times \[4, 6\], not of shape"):
        SF.SpikeTime(target_is_time=True)(spikes(), torch.zeros(shape))
    if len(shape) < 3:
        with pytest.raises(ValueError, match=r"targets must be times \[F, 4, 6\]"):
            SF.SpikeTime(target_is_time=True, multi_spike=True)(spikes(), torch.zeros(shape))


def test_arguments_are_checked():
    for make, message in (
        (lambda: SF.ce_count_loss(reduction="max"), "reduction must be one of"),
        (lambda: SF.ce_temporal_loss("invert"), "inverse must be"),
        (lambda: SF.mse_membrane_loss(True, weight=WEIGHTS), "weight needs labels"),
        (lambda: SF.mse_temporal_loss(True, weight=WEIGHTS), "weight needs labels"),
        (lambda: SF.spike_max_loss(0), "window must be one step or more, not 0"),
        (
            lambda: SF.spike_max_loss(mode="max"),
            "mode must be one of 'probability', 'softmax'",
        ),
        (lambda: SF.tet_loss(1.5), r"lam must be in \[0, 1\], not 1.5"),
        (lambda: SF.van_rossum_loss(0.0), "tau must be positive, not 0.0"),
        (lambda: SF.SpikeTime(on_target=(1, 2), off_target=3, multi_spike=True), "equally many"),
        (lambda: SF.SpikeTime(on_target=(1, 2), off_target=(3, 4)), "one time each"),
        (lambda: SF.ce_count_loss(weight=WEIGHTS[:2])(spikes(), LABELS), "each of the 6 classes"),
        (lambda: SF.mse_membrane_loss(True)(membranes(), membranes()[0]), r"targets must be \[T"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(RuntimeError):
        SF.mse_count_loss()(spikes(), LABELS + 5)
    with pytest.raises(NotImplementedError, match="_compute_loss"):
        SF.LossFunctions()(spikes(), LABELS)
