"""Decoders: by hand, against their definitions, packed, and step by step."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import bitspike as snn
import bitspike.functional as SF
from bitspike import decode
from helpers.recordings import LABELS, spikes

DECODERS = {
    "rate": decode.rate,
    "rate earliest": lambda x: decode.rate(x, "earliest"),
    "latency": decode.latency,
    "latency never": lambda x: decode.latency(x, "never"),
    "population": lambda x: decode.population(x, 3),
    "population earliest": lambda x: decode.population(x, 3, ties="earliest"),
    "population latency": lambda x: decode.population(x, 3, "latency"),
    "population latency never": lambda x: decode.population(x, 3, "latency", silent="never"),
}
EXITS = {
    "first spike": lambda x: torch.stack(decode.early_exit(x)),
    "margin": lambda x: torch.stack(decode.early_exit(x, 2)),
}
ALL = DECODERS | EXITS


def recording(*trains: str) -> torch.Tensor:
    """One sample from a row of characters per neuron: ``|`` is a spike."""
    return torch.tensor([[float(c == "|") for c in train] for train in trains]).t().unsqueeze(1)


# By hand


@pytest.mark.parametrize(
    "trains, wanted",
    [
        # In the order of DECODERS; six neurons, or three classes of two.
        (("..|.", "|.|.", ".|||", "...|", "....", "...."), (2, 2, 1, 1, 1, 1, 0, 0)),
        # Two spikes each of neurons 1, 2 and 4, of which 4 begins first; classes 1 and 2 tie.
        (("....", ".||.", ".|.|", "....", "|..|", "...."), (1, 4, 4, 4, 0, 2, 2, 2)),
        # Only the last step has spikes: where silence ends there, neuron 0 wins.
        (("....", "....", "....", "...|", "...|", "...."), (3, 3, 0, 3, 1, 1, 0, 1)),
        (("....", "....", "....", "....", "....", "...."), (0, 0, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_by_hand(trains, wanted):
    got = [decoder(recording(*trains)) for decoder in DECODERS.values()]
    assert all(x.dtype == torch.int64 and x.shape == (1,) for x in got)
    assert tuple(map(int, got)) == wanted


@pytest.mark.parametrize(
    "trains, margin, wanted",
    [
        (("...|", ".|||", ".|.."), None, (1, 1)),
        (("...|", ".|||", ".|.."), 1, (1, 2)),
        # 0 1 2 3 against 0 1 1 1: the lead of two comes at the last step, of three never.
        (("...|", ".|||", ".|.."), 2, (1, 3)),
        (("...|", ".|||", ".|.."), 3, (1, 3)),
        # A lead that is lost again has decided; one that is never reached leaves the counts.
        (("||...", "..|||"), 2, (0, 1)),
        (("||...", "..|||"), 3, (1, 4)),
        (("|.|.", ".|.|"), 1, (0, 0)),
        (("|.|.", ".|.|"), 2, (0, 3)),
        (("....", "...."), None, (0, 3)),
        (("....", "...."), 1, (0, 3)),
    ],
)
def test_early_exit_by_hand(trains, margin, wanted):
    decision = decode.early_exit(recording(*trains), margin)
    assert (int(decision.prediction), int(decision.step)) == wanted
    assert decision.prediction.dtype == decision.step.dtype == torch.int64


# Definitions


def defined_exit(x, margin):
    """Every sample and step on its own."""
    found = []
    for sample in x.unbind(1):
        for step in range(len(sample)):
            counts = sample[: step + 1].sum(0)
            best, second = counts.sort(descending=True).values[:2]
            reached = best > 0 if margin is None else best - second >= margin
            if reached or step == len(sample) - 1:
                found.append([counts.tolist().index(best), step])
                break
    return torch.tensor(found).t()


shapes = given(
    steps=st.integers(1, 9),
    batch=st.integers(1, 5),
    outputs=st.sampled_from([2, 3, 6, 66]),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 99),
)


@shapes
def test_decoders_agree_with_early_exits(steps, batch, outputs, density, seed):
    x = spikes(density, (steps, batch, outputs), seed)
    packed = snn.SpikeTensor.from_dense(x)
    for margin in (None, 1, 2.5):
        decision = torch.stack(decode.early_exit(x, margin))
        assert torch.equal(decision, defined_exit(x, margin))
        assert torch.equal(decision, torch.stack(decode.early_exit(packed, margin)))
    assert torch.equal(decode.early_exit(x).prediction, decode.latency(x, "never"))
    assert torch.equal(decode.early_exit(x, steps + 1).prediction, decode.rate(x))


@shapes
def test_a_population_of_one_is_a_class(steps, batch, outputs, density, seed):
    x = spikes(density, (steps, batch, outputs), seed)
    for ties in ("lowest", "earliest"):
        assert torch.equal(decode.population(x, outputs, ties=ties), decode.rate(x, ties))
    for silent in ("last", "never"):
        alone = decode.population(x, outputs, "latency", silent=silent)
        assert torch.equal(alone, decode.latency(x, silent))
    groups = x.reshape(steps, batch, 2, outputs // 2) if outputs % 2 == 0 else None
    if groups is not None:
        assert torch.equal(decode.population(x, 2), decode.rate(groups.sum(-1)))
        any_of_them = groups.amax(-1)
        first = decode.population(x, 2, "latency", silent="never")
        assert torch.equal(first, decode.latency(any_of_them, "never"))


@shapes
def test_accuracies_are_of_decoders(steps, batch, outputs, density, seed):
    x = spikes(density, (steps, batch, outputs), seed)
    y = torch.arange(batch) % outputs
    assert SF.accuracy_rate(x, y) == (decode.rate(x) == y).double().mean().item()
    assert SF.accuracy_temporal(x, y) == (decode.latency(x) == y).double().mean().item()


# Forms of spikes


@pytest.mark.parametrize("case", ALL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.bool], ids=str)
def test_packed_is_dense(case, dtype):
    x = spikes(0.02, (9, 50, 72))
    packed = snn.SpikeTensor.from_dense(x.to(dtype))
    wanted = ALL[case](x)
    assert len(wanted.unique()) > 1
    for form in (packed, x.to(dtype), x.double(), x.as_subclass(snn.DenseSpikes)):
        got = ALL[case](form)
        assert torch.equal(got, wanted) and type(got) is torch.Tensor


@pytest.mark.parametrize("case", ["rate", "population", *EXITS])
def test_counts_are_those_of_bits(case):
    packed = snn.SpikeTensor.from_dense(spikes(0.2, (9, 50, 72)))
    before = snn.unpacked_operations()
    ALL[case](packed)
    assert snn.unpacked_operations() == before


@pytest.mark.parametrize("case", ALL)
def test_no_gradient(case):
    assert not ALL[case](spikes().requires_grad_()).requires_grad
    assert ALL[case](torch.zeros(3, 0, 6)).shape[-1] == 0


def test_first_spikes_have_any_size():
    x = torch.tensor([[[0.0, 0.5, 3.0]], [[9.0, 9.0, 9.0]]])
    assert decode.latency(x).item() == 1
    assert decode.early_exit(x).prediction.item() == 1
    assert decode.early_exit(-x).prediction.item() == 0
    assert decode.early_exit(-x).step.item() == 1
    assert decode.rate(x).item() == 2


# Step by step


@pytest.mark.parametrize("margin", [None, 1, 3])
def test_streaming(margin):
    x = spikes(0.15, (12, 40, 6))
    decision = decode.EarlyExit(margin)
    assert decision.decided.shape == decision.prediction.shape == decision.step.shape == (0,)
    for step, at in enumerate(x):
        so_far = decode.early_exit(x[: step + 1], margin)
        packed = snn.SpikeTensor.from_dense(at) if step % 2 else at
        before = decision.decided
        decided = decision.update(packed)
        assert decided is decision.decided and decided.dtype == torch.bool
        assert torch.equal(decision.prediction, so_far.prediction)
        assert torch.equal(decision.step, so_far.step)
        assert step == 0 or (decided >= before).all()
    assert torch.equal(decode.early_exit(x, margin).step, decision.step)
    assert 0 < decided.sum() and decision.step.unique().numel() > 3


def test_a_network_stops_as_soon_as_all_are_decided():
    net = snn.Leaky(beta=0.5, init_hidden=True, output=True)
    decision = decode.EarlyExit(margin=2)
    for _ in range(100):
        out, _ = net(torch.tensor([[0.0, 2.0], [0.7, 0.0]]))
        if decision.update(out).all():
            break
    # 2 fires at every step; 0.7 at 1.05 for the first time, at step 1, and then now and then.
    assert decision.prediction.tolist() == [1, 0]
    assert decision.step.tolist() == [1, int(decision.step[1])] and decision.step[1] < 50


# Confusion


def test_confusion_by_hand():
    predicted = torch.tensor([0, 2, 2, 1, 2, 2])
    targets = torch.tensor([0, 0, 2, 1, 2, 1])
    matrix = SF.confusion(predicted, targets, 3)
    assert matrix.tolist() == [[1, 0, 1], [0, 1, 1], [0, 0, 2]]
    assert matrix.dtype == torch.int64
    assert SF.confusion(predicted[:0], targets[:0], 2).tolist() == [[0, 0], [0, 0]]


def test_confusion_holds_the_accuracy():
    x, y = spikes(0.4, (9, 50, 6)), torch.randint(6, (50,))
    matrix = SF.confusion(decode.rate(x), y, 6)
    assert matrix.trace().item() / 50 == SF.accuracy_rate(x, y) and matrix.sum() == 50
    assert torch.equal(matrix.sum(1), torch.bincount(y, minlength=6))


# What has no sense


@pytest.mark.parametrize("case", ALL)
def test_shapes_are_checked(case):
    for shape in ((4, 6), (0, 4, 6), (9, 4, 6, 1)):
        with pytest.raises(ValueError, match=r"spikes must be \[T, B, C\]"):
            ALL[case](torch.zeros(shape))


def test_arguments_are_checked():
    x = spikes()
    for call, message in (
        (lambda: decode.rate(x, "first"), "ties must be one of 'lowest', 'earliest', not 'first'"),
        (lambda: decode.latency(x, "late"), "silent must be one of 'last', 'never', not 'late'"),
        (lambda: decode.population(x, 3, "phase"), "code must be one of 'rate', 'latency'"),
        (lambda: decode.population(x, 3, ties="no"), "ties must be one of"),
        (lambda: decode.population(x, 3, silent="no"), "silent must be one of"),
        (lambda: decode.population(x, 4), "num_classes is 4, which does not divide 6 outputs"),
        (lambda: decode.population(x, 0), "num_classes must be given"),
        (lambda: decode.early_exit(x, 0), "margin must be positive, but is 0"),
        (lambda: decode.early_exit(x, float("nan")), "margin must be positive, but is nan"),
        (lambda: decode.early_exit(x[:, :, :1], 1), "a margin needs two classes"),
        (lambda: SF.confusion(LABELS, LABELS, 5), "predicted must hold classes from 0 to 4"),
        (lambda: SF.confusion(LABELS.clamp(max=4), LABELS, 5), "targets must hold classes"),
        (lambda: SF.confusion(LABELS - 1, LABELS, 6), "but reaches from -1 to 4"),
        (lambda: SF.confusion(LABELS, LABELS[:3], 6), "one label for each of the 4 samples"),
        (lambda: SF.confusion(x, LABELS, 6), r"predicted must be \[B\], not \(11, 4, 6\)"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_steps_are_checked():
    decision = decode.EarlyExit()
    with pytest.raises(ValueError, match=r"spikes must be \[B, C\], not \(11, 4, 6\)"):
        decision.update(spikes())
    decision.update(spikes()[0])
    with pytest.raises(ValueError, match=r"must be \(4, 6\) like the steps before, not \(3, 6\)"):
        decision.update(spikes()[0, :3])
