"""Programs with a loop over time: all steps at once, against the loop and against snnTorch."""

import torch
from snntorch import functional as TF
from snntorch import utils as tutils
from torch import nn

import bitspike as snn
from bitspike import functional as SF
from helpers import loops
from helpers.compare import error


def spikes(*shape, density=0.3):
    return (torch.rand(shape) < density).float()


def images(*shape):
    """Numbers whose products with the networks' weights are exact."""
    return torch.randint(0, 17, shape) / 16


def outcome(run, net, loss):
    """The results of a program, its loss, and the gradients of its parameters."""
    torch.manual_seed(5)
    net.zero_grad()
    results = run(net)
    results = results if isinstance(results, tuple) else (results,)
    value = loss(results)
    value.backward()
    return results, value, {n: p.grad.clone() for n, p in net.named_parameters()}


def check(one, other):
    """Two outcomes: equal results, losses and gradients within rounding."""
    for a, b in zip(one[0], other[0], strict=True):
        assert a.shape == b.shape
        torch.testing.assert_close(a * 1, b * 1, rtol=0, atol=0)
    torch.testing.assert_close(one[1], other[1], rtol=1e-6, atol=0)
    for name, grad in one[2].items():
        assert error(grad, other[2][name]) < 1e-5, name


def check_three(fast, run, networks, losses):
    """Vectorised, as a loop, and in snnTorch."""
    ours, theirs = networks
    loop = outcome(run, ours, losses[0])
    check(outcome(fast, ours, losses[0]), loop)
    check(loop, outcome(run, theirs, losses[1]))


def labelled(name, labels, of=0, **options):
    return [
        lambda r, library=library: getattr(library, name)(**options)(r[of] * 1, labels)
        for library in (SF, TF)
    ]


def test_a_feed_forward_network():
    networks = loops.copied(loops.FeedForward)
    x, labels = spikes(12, 16, 30), torch.randint(10, (16,))
    fast = snn.vectorize(networks[0])
    check_three(lambda _: fast(x), lambda net: net(x), networks, labelled("ce_rate_loss", labels))
    assert fast.apart == {}


def test_losses_of_membranes_that_the_loop_adds():
    networks = loops.copied(loops.FeedForward)
    x, labels = spikes(12, 16, 30), torch.randint(10, (16,))
    criterion = nn.CrossEntropyLoss()

    def program(net):
        _, membranes = net(x)
        loss = torch.zeros(1)
        for step in range(12):
            loss += criterion(membranes[step], labels)
        return loss

    fast = snn.vectorize(program)
    check_three(fast, program, networks, [lambda r: r[0].sum()] * 2)


def test_a_convolutional_network_with_hidden_states():
    networks = loops.copied(loops.Convolutional)
    x, labels = images(6, 1, 14, 14), torch.randint(10, (6,))
    fast = snn.vectorize(loops.forward_pass)
    resets = {networks[0]: snn.utils.reset, networks[1]: tutils.reset}
    check_three(
        lambda net: fast(net, 7, x, snn.utils.reset),
        lambda net: loops.forward_pass(net, 7, x, resets[net]),
        networks,
        labelled("ce_count_loss", labels),
    )


def test_a_population_code():
    networks = loops.copied(loops.Population)
    x, labels = images(16, 5, 6), torch.randint(10, (16,))
    fast = snn.vectorize(networks[0])
    losses = labelled("mse_count_loss", labels, population_code=True, num_classes=10)
    check_three(lambda _: fast(x), lambda net: net(x), networks, losses)


def test_a_recurrent_regression():
    networks = loops.copied(loops.Regression)
    x, target = images(15, 8, 5), torch.rand(15, 8, 1)
    fast = snn.vectorize(networks[0])
    losses = [lambda r: nn.functional.mse_loss(r[0], target)] * 2
    check_three(lambda _: fast(x), lambda net: net(x), networks, losses)
    assert fast.apart == {}
