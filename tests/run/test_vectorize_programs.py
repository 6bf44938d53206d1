"""Programs with a loop over time: what they return, leave behind and draw, all steps at once."""

import copy

import pytest
import torch

import bitspike as snn
from bitspike.graph.values import tensors_of
from helpers.looped import PROGRAMS
from helpers.looped.program import B, N, T, made

APART = {
    "NothingAtFirst": {"add"},
    "WholeLists": {"add"},
    "Feedback": {"add", "one", "fc2", "two"},
    "EverySecondStep": {"one"},
    "Normalised": {"norm"},
    "Shared": {"one"},
    "Reset": {"one", "one.reset_mem"},
    "ResetAlways": {
        *("one", "one.reset_mem", "two.reset_mem", "lif1.reset_mem", "lif2.reset_mem"),
    },
    "Detached": {"detach", "lif1", "one", "one.detach_mem"},
    "Layers": {"norms"},
    "Functions": {"sum", "mean", "mul"},
    "ByName": {"linear", "reshape", "flatten"},
    "LossesInside": {"add", "cross_entropy", "mse_loss"},
}
"""What runs step by step in training."""


def outcome(run, net, x):
    """Results, gradients, states and buffers afterwards, and the next random number."""
    torch.manual_seed(7)
    net.zero_grad()
    found, states = [], []
    for _ in range(2):  # the second call finds the states that the first has left
        results = list(tensors_of(run(x)))
        sum((r * 1).square().sum() for r in results if r.requires_grad).backward(retain_graph=True)
        found.append([r.detach() * 1 for r in results])
        states.append(
            {
                (name, state): getattr(module, state).detach() * 1
                for name, module in net.named_modules()
                for state in getattr(module, "STATES", ())
            }
        )
        snn.utils.detach(net)
    grads = {n: p.grad for n, p in net.named_parameters() if p.grad is not None}
    return found, grads, states, dict(net.named_buffers()), torch.rand(1)


def check(kind, train, rounding):
    net = made(kind).train(train)
    torch.manual_seed(1)
    x = torch.randint(0, 9, (T, B, N)) / 8
    twin = copy.deepcopy(net)
    fast = snn.vectorize(net)
    ours, theirs = outcome(fast, net, x), outcome(twin, twin, x)
    for a, b in zip(ours[0], theirs[0], strict=True):
        for p, q in zip(a, b, strict=True):
            torch.testing.assert_close(p, q, rtol=rounding, atol=0)
    assert ours[1].keys() == theirs[1].keys()
    largest = max(float(g.abs().max()) for g in theirs[1].values())
    assert largest > 0
    for name, g in ours[1].items():
        assert float((g - theirs[1][name]).abs().max()) < 1e-5 * largest, name
    for a, b in zip(ours[2], theirs[2], strict=True):
        for name, state in a.items():
            torch.testing.assert_close(state, b[name], rtol=rounding, atol=0, msg=str(name))
    for name, buffer in ours[3].items():
        torch.testing.assert_close(buffer, theirs[3][name])
    assert torch.equal(ours[4], theirs[4])
    return fast.apart


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("name", PROGRAMS)
def test_all_steps_at_once_give_what_the_loop_gives(name, train):
    apart = check(PROGRAMS[name], train, 1e-6 if name in ("Normalised", "Functions") else 0)
    expected = APART.get(name, set())
    assert set(apart) == (expected if train else expected - {"norm"})
