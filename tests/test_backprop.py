"""One epoch of truncated backpropagation: snnTorch's weights where that works, and by hand."""

import copy
import warnings

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import backprop
from helpers.compare import error

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import snntorch
    import snntorch.backprop
    import snntorch.functional as SF


@pytest.fixture(autouse=True)
def forget_other_neurons(monkeypatch):
    """snnTorch resets every neuron that was ever made, and stumbles over unused ones (F1, F5)."""
    monkeypatch.setattr(snntorch.SpikingNeuron, "instances", [])


def network(library, **arguments):
    torch.manual_seed(3)
    arguments = dict(beta=0.9, init_hidden=True) | arguments
    return nn.Sequential(
        nn.Linear(12, 20),
        library.Leaky(**arguments),
        nn.Linear(20, 4),
        library.Leaky(**arguments, output=True),
    )


def batches(steps=10, count=3, axis=0):
    generator = torch.Generator().manual_seed(5)
    shape = [6, 12]
    if steps:
        shape.insert(axis, steps)
    return [
        (
            2 * torch.rand(shape, generator=generator),
            torch.randint(0, 4, (6,), generator=generator),
        )
        for _ in range(count)
    ]


def epoch(library, train, data, criterion, net=None, **options):
    net = network(library) if net is None else net
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    loss = getattr(library.backprop, train)(net, data, optimizer, criterion, **options)
    return loss, dict(net.named_parameters())


def assert_same_epoch(train, data, criterion, **options):
    ours, weights = epoch(snn, train, data, criterion, **options)
    theirs, wanted = epoch(snntorch, train, data, criterion, **options)
    before = dict(network(snn).named_parameters())
    assert not ours.requires_grad and error(ours, theirs) < 1e-6
    for name, weight in weights.items():
        assert error(weight, before[name]) > 1e-3, f"{name} was not trained"
        assert error(weight, wanted[name]) < 1e-6, name
        assert error(weight.grad, wanted[name].grad) < 1e-5, name


@pytest.mark.parametrize(
    "criterion",
    [
        SF.ce_rate_loss(),
        SF.ce_count_loss(),
        SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2),
        SF.ce_max_membrane_loss(),
        SF.mse_membrane_loss(),
    ],
    ids=lambda criterion: criterion.__name__,
)
def test_bptt_is_that_of_snntorch(criterion):
    assert_same_epoch("BPTT", batches(), criterion)


@pytest.mark.parametrize("steps", [1, 5, 10])
def test_tbptt_is_that_of_snntorch_where_chunks_are_equal(steps):
    data = batches(steps=False)
    assert_same_epoch("TBPTT", data, SF.ce_rate_loss(), num_steps=10, time_var=False, K=steps)


def test_other_calls_are_those_of_snntorch():
    assert_same_epoch("BPTT", batches(axis=1), SF.ce_rate_loss(), time_first=False)
    assert_same_epoch(
        "BPTT", batches(), SF.ce_rate_loss(), regularization=SF.l1_rate_sparsity(1e-3)
    )


# By hand


def mse_count_loss(spikes, targets):
    """The length of the chunk, whatever the network does."""
    return spikes.sum() * 0 + len(spikes)


@pytest.mark.parametrize("K, wanted", [(1, 1), (2, (2 * 2 + 2 * 2 + 1) / 5), (5, 5), (9, 5)])
def test_the_loss_is_the_mean_over_steps(K, wanted):
    """Chunks of length n have loss n and count n times: for 5 = 2 + 2 + 1 that is 9/5."""
    loss, _ = epoch(snn, "TBPTT", batches(5), mse_count_loss, K=K)
    assert loss.item() == pytest.approx(wanted)


def test_batches_count_equally():
    loss, _ = epoch(snn, "BPTT", [*batches(2, 1), *batches(6, 1)], mse_count_loss)
    assert loss.item() == pytest.approx((2 + 6) / 2)


class Integrator(nn.Module):
    """A membrane w·(x[0] + … + x[t]) without reset."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.linear.weight, 0.5)
        self.inner = nn.ModuleDict(
            {"lif": snn.Leaky(1.0, init_hidden=True, output=True, reset_mechanism="none")}
        )

    def forward(self, x):
        return self.inner["lif"](self.linear(x))


def mse_membrane_loss(membranes, targets):
    return membranes.sum()


def gradients(K):
    """The gradients that the optimiser saw, with a network whose neuron is not at the top."""
    net = Integrator()
    seen = []

    class Record(torch.optim.SGD):
        def step(self):
            seen.append(self.param_groups[0]["params"][0].grad.item())

    data = [(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]).view(5, 1, 1), torch.zeros(1))]
    backprop.TBPTT(net, data, Record(net.parameters(), lr=1.0), mse_membrane_loss, K=K)
    return seen


def test_truncation():
    """dmem[t]/dw is the sum of the inputs since the chunk began; the loss is the sum of mem."""
    assert gradients(1) == [1, 2, 3, 4, 5]
    assert gradients(2) == [1 + 3, 3 + 7, 5]
    assert gradients(False) == [1 + 3 + 6 + 10 + 15] == gradients(5)


def test_states_go_on_over_chunks_and_start_anew_in_batches():
    net = Integrator()
    data = [(torch.ones(5, 1, 1), torch.zeros(1))] * 2
    backprop.TBPTT(net, data, torch.optim.SGD(net.parameters(), lr=0.0), mse_membrane_loss, K=2)
    mem = net.inner["lif"].mem
    assert mem.item() == 5 * 0.5 and not mem.requires_grad


@pytest.mark.parametrize("K", [2, 5])
def test_targets_in_time_start_anew_with_each_batch(K):
    seen = []

    def criterion(membranes, targets):
        seen.append(targets.flatten().tolist())
        return (membranes - targets).square().mean()

    criterion.__name__ = "mse_membrane_loss"
    criterion.time_var_targets = True
    net = Integrator()
    data = [(torch.rand(4, 1, 1), torch.arange(4.0).view(4, 1, 1) + 10 * i) for i in range(2)]
    backprop.TBPTT(net, data, torch.optim.SGD(net.parameters(), lr=0.1), criterion, K=K)
    whole = [[0, 1, 2, 3], [10, 11, 12, 13]]
    assert seen == (whole if K == 5 else [part for x in whole for part in (x[:2], x[2:])])


def test_neurons_of_several_classes_are_all_cut():
    net = nn.Sequential(
        nn.Linear(12, 8),
        nn.Sequential(snn.Synaptic(alpha=0.8, beta=0.9, init_hidden=True)),
        nn.Linear(8, 4),
        snn.RLeaky(beta=0.9, linear_features=4, init_hidden=True, output=True),
    )
    epoch(snn, "TBPTT", batches(7), SF.ce_rate_loss(), net=net, K=3)
    states = (net[1][0].syn, net[1][0].mem, net[3].spk, net[3].mem)
    assert not any(state.requires_grad for state in states)


def test_packed_data():
    dense = [((x > 1).float(), y) for x, y in batches()]
    packed = [(snn.SpikeTensor.from_dense(x), y) for x, y in dense]
    wanted, weights = epoch(snn, "TBPTT", dense, SF.ce_rate_loss(), K=4)
    loss, others = epoch(snn, "TBPTT", packed, SF.ce_rate_loss(), K=4)
    assert error(loss, wanted) < 1e-6
    assert all(error(others[name], weights[name]) < 1e-6 for name in weights)


def test_rtrl_says_that_it_is_none():
    data = batches()
    with pytest.warns(UserWarning, match="TBPTT with K=1"):
        loss, weights = epoch(snn, "RTRL", data, SF.ce_rate_loss())
    wanted, others = epoch(snn, "TBPTT", data, SF.ce_rate_loss(), K=1)
    assert torch.equal(loss, wanted)
    assert all(torch.equal(weights[name], others[name]) for name in weights)


REFUSED = {
    "num_steps must not": dict(num_steps=10),
    "num_steps must be positive": dict(time_var=False),
    "K is 11, but there are 10": dict(time_var=False, num_steps=10, K=11),
    "K must be a positive .* is 0": dict(K=0),
    "time_first": dict(time_var=False, num_steps=10, time_first=False),
}


@pytest.mark.parametrize("message", REFUSED)
def test_errors(message):
    with pytest.raises(ValueError, match=message):
        epoch(snn, "TBPTT", batches(), SF.ce_rate_loss(), **REFUSED[message])


def test_errors_of_network_data_and_criterion():
    with pytest.raises(TypeError, match="criterion must have .*mse_membrane_loss.* is 'mse_loss'"):
        epoch(snn, "BPTT", batches(), nn.functional.mse_loss)
    with pytest.raises(TypeError, match="criterion must have .*MSELoss"):
        epoch(snn, "BPTT", batches(), nn.MSELoss())
    with pytest.raises(ValueError, match="dataloader must give batches"):
        epoch(snn, "BPTT", [], SF.ce_rate_loss())
    with pytest.raises(ValueError, match="data must have steps"):
        epoch(snn, "BPTT", [(torch.zeros(0, 6, 12), torch.zeros(6).long())], SF.ce_rate_loss())
    with pytest.raises(ValueError, match="1 is multi_step"):
        net = network(snn, multi_step=True)
        epoch(snn, "BPTT", batches(), SF.ce_rate_loss(), net=net)


def test_a_network_that_returns_spikes_alone():
    net = network(snn)
    plain = copy.deepcopy(net)
    plain[3].output = False
    wanted, _ = epoch(snn, "BPTT", batches(), SF.ce_rate_loss(), net=net)
    loss, _ = epoch(snn, "BPTT", batches(), SF.ce_rate_loss(), net=plain)
    assert torch.equal(loss, wanted)
    with pytest.raises(TypeError, match="output=True"):
        epoch(snn, "BPTT", batches(), SF.mse_membrane_loss(), net=plain)


def test_a_readout_that_returns_its_membrane_alone():
    def net(last):
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(12, 4), last)

    silent = snn.Leaky(0.9, init_hidden=True, output=True, reset_mechanism="none")
    wanted, weights = epoch(snn, "BPTT", batches(), SF.ce_max_membrane_loss(), net=net(silent))
    readout = net(snn.LI(0.9, init_hidden=True))
    loss, others = epoch(snn, "BPTT", batches(), SF.ce_max_membrane_loss(), net=readout)
    assert torch.equal(loss, wanted) and torch.equal(others["0.weight"], weights["0.weight"])
