"""Words that a `SpikeTensor` is given: what they must be, and what writing them does."""

import io

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import SpikeTensor
from helpers.alike import WEIGHTS, random


def words_of(*shape):
    return SpikeTensor.from_dense(random(*shape)).words


# Padding


@pytest.mark.parametrize("neurons", [1, 5, 63, 65, 127])
@pytest.mark.parametrize("where", ["first bit behind", "last bit"])
def test_bits_behind_the_last_neuron_are_refused(neurons, where):
    words = torch.zeros(4, 2, -(-neurons // 64), dtype=torch.int64)
    bit = neurons % 64 if where == "first bit behind" else 63
    words[3, 1, -1] = torch.tensor(1, dtype=torch.int64) << bit
    with pytest.raises(ValueError, match=f"words must be 0 behind the {neurons} neurons"):
        SpikeTensor(words, (neurons,))
    words[3, 1, -1] = 0
    assert SpikeTensor(words, (neurons,)).sum() == 0


@pytest.mark.parametrize("neurons", [5, 64, 70])
def test_full_rows_are_taken(neurons):
    ones = SpikeTensor.from_dense(torch.ones(3, neurons))
    assert SpikeTensor(ones.words, (neurons,)).sum() == 3 * neurons
    turned = ones.words.t().contiguous().t()
    assert SpikeTensor(turned, (neurons,)).sum() == 3 * neurons


@pytest.mark.parametrize("shape", [(0, 2, 1), (3, 0, 1)])
def test_no_words_at_all_are_padded(shape):
    assert SpikeTensor(torch.zeros(shape, dtype=torch.int64), (5,)).sum() == 0


def test_files_and_flattened_tensors_are_looked_at():
    good = SpikeTensor.from_dense(random(3, 70))
    inner, meta = good.__tensor_flatten__()
    flat = {name: getattr(good, name) for name in inner}
    assert torch.equal(SpikeTensor.__tensor_unflatten__(flat, meta, None, None), good)
    good.words.fill_(-1)
    with pytest.raises(ValueError, match="words must be 0 behind"):
        SpikeTensor.__tensor_unflatten__(flat, meta, None, None)
    file = io.BytesIO()
    torch.save(good, file)
    file.seek(0)
    with pytest.raises(ValueError, match="words must be 0 behind"):
        torch.load(file)


def test_words_live_on_the_cpu():
    with pytest.raises(ValueError, match="words must be dense on the CPU"):
        SpikeTensor(torch.zeros(2, 1, dtype=torch.int64, device="meta"), (5,))
    with pytest.raises(ValueError, match="words must be dense on the CPU"):
        SpikeTensor(torch.zeros(2, 1, dtype=torch.int64).to_sparse(), (5,))


# Rows of single neurons


def test_neurons_without_features_are_counted():
    spikes, _ = snn.Leaky(0.9, multi_step=True)(torch.full((30,), 0.5))
    assert spikes.features == ()
    dense = spikes.dense()
    assert 0 < dense.sum() < 30
    assert spikes.count_nonzero(0) == dense.count_nonzero() == spikes.count_nonzero()
    assert spikes.sum(0) == spikes.sum() == dense.sum()
    assert spikes.mean(0) == dense.mean()
    assert [row.tolist() for row in spikes[:2].to_indices()] == [[], []]


# Words that are written

USES = {
    "linear": lambda x, w: nn.functional.linear(x, w),
    "linear of three axes": lambda x, w: nn.functional.linear(x.unsqueeze(0), w),
    "matmul": lambda x, w: x @ w.t(),
    "mm": lambda x, w: torch.mm(x, w.t()),
    "addmm": lambda x, w: torch.addmm(torch.ones(4), x, w.t()),
    "turned": lambda x, w: w @ x.t(),
    "arithmetic": lambda x, w: x[:4] * w,
    "selected": lambda x, w: x[1:, 3:6] * w[0, :3],
    "unbound": lambda x, w: sum(row * w for row in x),
    "half precision": lambda x, w: x.bfloat16() @ w.bfloat16().t(),
}


@pytest.mark.parametrize("name", USES)
def test_words_written_before_backward_are_noticed(name):
    use = USES[name]
    words, weights = words_of(6, 70), WEIGHTS.clone().requires_grad_()
    use(SpikeTensor(words, (70,)), weights).sum().backward()
    expected = weights.grad.clone()
    weights.grad = None
    out = use(SpikeTensor(words, (70,)), weights)
    words.zero_()
    try:
        out.sum().backward()
    except RuntimeError as error:
        assert "written after" in str(error) or "modified by an inplace operation" in str(error)
    else:  # It kept a copy of what it needs.
        assert torch.equal(weights.grad, expected)


def test_pools_notice_written_words():
    words = words_of(3, 1, 8, 8)
    x = SpikeTensor(words, (1, 8, 8)).requires_grad_()
    out = nn.functional.max_pool2d(x, 2)
    words.zero_()
    with pytest.raises(RuntimeError, match="written after that operation"):
        out.sum().backward()


def test_words_may_be_written_between_iterations():
    words, weights = words_of(6, 70), WEIGHTS.clone().requires_grad_()
    x = SpikeTensor(words, (70,))
    for seed in range(3):
        dense = random(6, 70, seed=seed)
        words.copy_(SpikeTensor.from_dense(dense).words)
        ours = torch.autograd.grad(nn.functional.linear(x, weights).square().sum(), weights)
        theirs = torch.autograd.grad(nn.functional.linear(dense, weights).square().sum(), weights)
        assert torch.equal(*ours, *theirs)
        ours = torch.autograd.grad((x[:4] * weights).square().sum(), weights)
        theirs = torch.autograd.grad((dense[:4] * weights).square().sum(), weights)
        assert torch.equal(*ours, *theirs)


def test_words_made_in_inference_mode_are_not_counted():
    with torch.inference_mode():
        x = SpikeTensor(words_of(6, 70), (70,))
        x.words.zero_()
        assert x.sum() == 0
    assert x.words_version is None and nn.functional.linear(x, WEIGHTS).sum() == 0
