"""Hidden state under activation checkpointing, and after an evaluation in inference mode."""

import copy

import pytest
import torch
from torch import nn
from torch.utils import checkpoint as torch_checkpoint
from torch.utils.checkpoint import checkpoint

import bitspike as snn
from bitspike import utils
from helpers.cases import CASES
from helpers.compare import first


def module_of(kind):
    """A module that keeps its state, for steps ``[2, 4]``, by name."""
    return {
        "RLeaky": lambda: snn.RLeaky(0.9, linear_features=4, init_hidden=True),
        "RSynaptic": lambda: snn.RSynaptic(0.5, 0.9, linear_features=4, init_hidden=True),
        "RALIF": lambda: snn.RALIF(0.5, 0.9, 0.3, linear_features=4, init_hidden=True),
        "LI": lambda: snn.LI(beta=0.9, init_hidden=True),
        "SLSTM": lambda: snn.SLSTM(4, 4, threshold=0.1, init_hidden=True),
        "SGRU": lambda: snn.SGRU(4, 4, threshold=0.1, init_hidden=True),
        "EscapeLeaky": lambda: snn.EscapeLeaky(beta=0.9, init_hidden=True),
        "SRM0": lambda: snn.SRM0(torch.ones(3), -torch.ones(3), init_hidden=True),
        "ModulatedLeaky": lambda: snn.ModulatedLeaky(0.5, gain=1.0, init_hidden=True),
        "CLIF": lambda: snn.CLIF(0.9, init_hidden=True),
        "GLIF": lambda: snn.GLIF(6, 4, init_hidden=True),
        "TCLIF": lambda: snn.TCLIF(init_hidden=True),
        "CobaLIF": lambda: snn.CobaLIF(dt=1.0, init_hidden=True),
        "MaskedPSN": lambda: snn.MaskedPSN(6, 3, init_hidden=True),
        "SlidingPSN": lambda: snn.SlidingPSN(3, init_hidden=True),
        "ScanLeaky": lambda: snn.ScanLeaky(0.9, init_hidden=True),
        "SynapticDelay": lambda: snn.SynapticDelay(3, 1.5, learn_delay=True),
        "DelayLinear": lambda: snn.DelayLinear(4, 4, 3),
        "SSMBlock": lambda: snn.SSMBlock(4, 3, threshold=0.5),
        "TimeDropout": lambda: snn.TimeDropout(0.5),
        "torch": lambda: snn.Leaky(beta=0.9, init_hidden=True, detach_reset=False),
        "stored": lambda: Spikes(snn.Leaky(beta=0.9)),
    }[kind]()


class Spikes(nn.Module):
    """A neuron whose states are neither given nor taken: it goes on from those of the last call."""

    def __init__(self, neuron):
        super().__init__()
        self.neuron = neuron

    def forward(self, x):
        spikes, *_ = self.neuron(x)
        return spikes


OTHERS = (
    "RLeaky RSynaptic RALIF LI SLSTM SGRU EscapeLeaky SRM0 ModulatedLeaky CLIF GLIF TCLIF CobaLIF "
    "MaskedPSN SlidingPSN ScanLeaky SynapticDelay DelayLinear SSMBlock TimeDropout torch stored"
).split()
MODULES = {
    **{str(case): case for case in CASES},
    **dict.fromkeys(OTHERS),
}
modules = pytest.mark.parametrize("kind", MODULES)


def network(kind):
    """A network around the module, and inputs at which its neurons fire."""
    torch.manual_seed(1)
    case, mean, deviation = MODULES[kind], 0.5, 1.0
    if case is None:
        module = module_of(kind)
    else:
        module = case.neuron(4, case.kind.RESETS[0], True, init_hidden=True, multi_step=False)
        mean, deviation = case.current
    net = nn.Sequential(nn.Linear(4, 4), module)
    with torch.no_grad():
        net[0].weight.copy_(torch.eye(4) + torch.rand(4, 4) / 10)
    return net, torch.randn(6, 2, 4) * deviation + mean


def state_of(net):
    return [
        getattr(module, name).clone()
        for module in net.modules()
        for name in getattr(module, "STATES", ())
    ]


def gradients(net, loss):
    loss.backward()
    grads = [x.grad for x in net.parameters()]
    return [x for x in grads if x is not None], state_of(net)


def assert_same(one, other):
    assert len(one[0]) == len(other[0]) > 0
    for ours, theirs in zip([*one[0], *one[1]], [*other[0], *other[1]], strict=True):
        assert torch.equal(ours, theirs)


def run(kind, step):
    net, x = network(kind)
    torch.manual_seed(2)
    return gradients(net, torch.stack([first(step(net, current)) for current in x]).sum())


def plainly(net, x):
    return net(x)


def checkpointed(net, x):
    return checkpoint(net, x, use_reentrant=False)


def nested(net, x):
    return checkpoint(checkpointed, net, x, use_reentrant=False)


@modules
@pytest.mark.parametrize("step", [checkpointed, nested])
def test_a_checkpoint_around_a_step_starts_again_where_the_step_did(kind, step):
    assert_same(run(kind, step), run(kind, plainly))


@pytest.mark.parametrize("kind", ["Leaky", "RLeaky", "SynapticDelay", "TimeDropout"])
@pytest.mark.parametrize("early", [True, False])
def test_several_steps_in_one_checkpoint(kind, early):
    results = []
    for step in (plainly, checkpointed):
        net, x = network(kind)

        def steps(currents, net=net):
            return torch.stack([net(current) for current in currents])

        torch.manual_seed(2)
        with torch_checkpoint.set_checkpoint_early_stop(early):
            parts = [step(steps, x[:4]), step(steps, x[4:])]
        results.append(gradients(net, torch.cat(parts).square().sum()))
    assert_same(*results)


def test_a_state_that_is_read_in_the_checkpoint():
    results = []
    for step in (plainly, checkpointed):
        net, x = network("Leaky")
        readout = nn.Linear(4, 3)

        def membrane(current, net=net, readout=readout):
            net(current)
            return readout(net[1].mem)

        results.append(
            gradients(net, torch.stack([step(membrane, current) for current in x]).sum())
        )
    assert_same(*results)


def test_backward_twice_and_between_steps():
    results = []
    for step in (plainly, checkpointed):
        net, x = network("Leaky")
        early = step(net, x[0]).sum() + step(net, x[1]).sum()
        early.backward(retain_graph=True)
        late = step(net, x[2]).sum() + early
        results.append(gradients(net, late))
    assert_same(*results)


def test_sequences_that_go_on():
    results = []
    for step in (plainly, checkpointed):
        net, x = network("Leaky")
        net[1].multi_step = True
        parts = [step(net, x[:3]) * 1, step(net, x[3:]) * 1]
        results.append(gradients(net, torch.cat(parts).sum()))
    assert_same(*results)


def test_a_hook_of_ones_own_beside_the_checkpoint():
    def wrapped(net, x):
        with torch.autograd.graph.save_on_cpu():
            return checkpointed(net, x)

    assert_same(run("Leaky", wrapped), run("Leaky", plainly))


@pytest.mark.parametrize("kind", ["Leaky", "stored", "SynapticDelay"])
def test_a_reentrant_checkpoint_is_an_error(kind):
    net, x = network(kind)
    x.requires_grad_()
    result = torch.stack([checkpoint(net, step, use_reentrant=True) for step in x])
    with pytest.raises(RuntimeError, match="use_reentrant=False"):
        result.sum().backward()


def test_a_reentrant_checkpoint_of_what_keeps_nothing_works():
    lif, x = snn.Leaky(beta=0.9, multi_step=True), torch.rand(6, 2, 4, requires_grad=True)
    drop = snn.TimeDropout(0.5, multi_step=True)

    def run(x):
        return drop(lif(x)[1])

    grads = []
    for call in (run, lambda x: checkpoint(run, x, use_reentrant=True)):
        torch.manual_seed(1)
        grads.append(torch.autograd.grad(call(x).sum(), x)[0] if call is run else None)
        if call is not run:
            call(x).sum().backward()
            grads[-1] = x.grad
    assert torch.equal(*grads)


def test_states_do_not_outlive_the_graph():
    import gc
    import weakref

    net, x = network("Leaky")
    state = checkpointed(net, x[0])
    before = weakref.ref(net[1].mem)
    loss = checkpointed(net, x[1]).sum() + state.sum()
    loss.backward()
    del loss, state
    utils.detach(net)
    gc.collect()
    assert before() is None


# Inference mode


@modules
@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("multi", [False, True])
def test_training_goes_on_after_an_evaluation_in_inference_mode(kind, reset, multi):
    net, x = network(kind)
    if multi and (kind == "stored" or not hasattr(net[1], "run_sequence")):
        pytest.skip("no sequences")
    other = copy.deepcopy(net)

    def call(net):
        return first(net[1].run_sequence(net[0](x)) if multi else net(x[0])) * 1

    for one, mode in ((net, torch.inference_mode), (other, torch.no_grad)):
        torch.manual_seed(2)
        with mode():
            call(one)
            if reset:
                utils.reset(one)
    results = []
    for one in (net, other):
        torch.manual_seed(3)
        results.append(gradients(one, call(one).square().sum()))
    assert_same(*results)


def test_class_level_resets_in_inference_mode():
    lif = snn.Leaky(beta=0.9, init_hidden=True, learn_beta=True)
    x = torch.rand(2, 4)
    with torch.inference_mode():
        lif(x)
        snn.Leaky.reset_hidden()
        lif.init_leaky()
        snn.Leaky.detach_hidden()
    lif(x).sum().backward()
    assert lif.beta.grad is not None


def test_states_given_after_an_evaluation_in_inference_mode():
    lif, x = snn.Leaky(beta=0.5, learn_beta=True), torch.rand(2, 4)
    with torch.inference_mode():
        _, state = lif(x)
    lif(x, state)[1].sum().backward()
    wanted = lif.beta.grad.clone()
    lif.beta.grad = None
    lif(x, state.clone())[1].sum().backward()
    assert torch.equal(lif.beta.grad, wanted)
    snn.SpikingNeuron.zeros(state)
    assert state.count_nonzero() == 0


def test_a_state_may_become_a_parameter():
    neuron = snn.Leaky(0.5, init_hidden=True, output=True)
    neuron(torch.ones(2, 3))
    neuron.mem = torch.nn.Parameter(torch.full((2, 3), 0.5))
    _, membrane = neuron(torch.ones(2, 3))
    assert torch.equal(membrane, torch.full((2, 3), 1.25))
