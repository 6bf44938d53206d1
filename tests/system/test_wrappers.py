"""Neurons inside what torch wraps around modules; hidden state of many; memory."""

import copy
import gc
import os
import weakref

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

import bitspike as snn
from bitspike import utils
from bitspike.ops import buffer
from helpers.compare import dense, same_bits


def network(**arguments):
    arguments = dict(beta=0.8, init_hidden=True, multi_step=True, learn_beta=True) | arguments
    return nn.Sequential(nn.Linear(6, 20), snn.Leaky(**arguments), nn.Linear(20, 4)).eval()


X = torch.randn(9, 3, 6, generator=torch.Generator().manual_seed(1))


def output(net, x=X):
    utils.reset(net)
    return net(x)


# Wrappers


def test_functional_call():
    net = network()
    parameters = {name: p.detach() * 1.1 for name, p in net.named_parameters()}
    other = copy.deepcopy(net)
    other.load_state_dict({**net.state_dict(), **parameters})
    utils.reset(net)
    assert same_bits(torch.func.functional_call(net, parameters, (X,)), output(other))


def test_parametrisation():
    class Logistic(nn.Module):
        def forward(self, x):
            return torch.sigmoid(x)

        def right_inverse(self, x):
            return torch.logit(x)

    net = network()
    wanted = output(net)
    parametrize.register_parametrization(net[1], "beta", Logistic())
    result = output(net)
    assert (result - wanted).abs().max() < 1e-5
    result.sum().backward()
    assert net[1].parametrizations.beta.original.grad.isfinite()


def test_moving_averages():
    net = network()
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.5)
    )
    average.update_parameters(net)
    net[1].beta.data.fill_(0.4)
    average.update_parameters(net)
    assert average.module[1].beta.item() == pytest.approx(0.6)
    assert average(X).shape == (9, 3, 4)
    assert net[1].mem.shape == (0,)


def test_replicas():
    """What `DataParallel` does on each device: a shallow copy that shares parameters."""
    net = network()
    replicas = [net[1]._replicate_for_data_parallel() for _ in range(2)]
    for replica in replicas:
        replica.beta = net[1].beta
    x = torch.randn(9, 4, 20)
    parts = [replica(part) for replica, part in zip(replicas, x.chunk(2, 1), strict=True)]
    assert net[1].mem.shape == (0,)
    assert same_bits(torch.cat([dense(part) for part in parts], 1), dense(net[1](x)))


def test_hooks_see_a_sequence_once():
    net = network()
    seen = []
    net[1].register_forward_hook(lambda module, inputs, result: seen.append(result.shape))
    net[1].register_full_backward_hook(lambda module, into, out: seen.append(into[0].shape))
    net(X).sum().backward()
    assert seen == [(9, 3, 20), (9, 3, 20)]


def test_shared_memory():
    net = network()
    wanted = output(net)
    assert all(p.is_shared() for p in net.share_memory().parameters())
    assert same_bits(output(net), wanted)


def test_checkpointing():
    from torch.utils.checkpoint import checkpoint

    lif = snn.Leaky(beta=0.8, multi_step=True)
    gradients = []
    for run in (lif, lambda x: checkpoint(lif, x, use_reentrant=False)):
        x = torch.rand(9, 3, 20, generator=torch.Generator().manual_seed(2)).requires_grad_()
        run(x)[0].sum().backward()
        gradients.append(x.grad)
    assert same_bits(*gradients)


def test_hooks_on_saved_tensors():
    seen = []

    def note(x):
        seen.append(x)
        return x

    x = torch.rand(9, 3, 20, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        spikes, _ = snn.Leaky(beta=0.8, multi_step=True)(x)
    spikes.sum().backward()
    assert seen and x.grad.isfinite().all()


def test_deterministic_algorithms():
    torch.use_deterministic_algorithms(True)
    try:
        output(network()).sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)


def test_changing_the_input_before_backward_is_noticed():
    x = torch.rand(9, 3, 20, requires_grad=True)
    current = x * 1
    _, membranes = snn.Leaky(beta=0.8, multi_step=True)(current)
    current.add_(1)
    with pytest.raises(RuntimeError, match="changed in place before backward"):
        membranes.sum().backward()


# Hidden state of many


def test_reset_touches_one_network_however_deep():
    nets = [nn.Sequential(nn.Sequential(network())) for _ in range(2)]
    for net in nets:
        net(X)
    utils.reset(nets[0])
    mems = [net[0][0][1].mem for net in nets]
    assert not mems[0].any() and mems[1].any()


def test_class_methods():
    class Other(snn.Leaky):
        pass

    ours, others = snn.Leaky(beta=0.9), Other(beta=0.9)
    x = torch.rand(3, requires_grad=True)
    for neuron in (ours, others):
        neuron(x)
    Other.reset_hidden()
    assert ours.mem.any() and not others.mem.any()
    snn.Leaky.detach_hidden()
    assert not ours.mem.requires_grad
    snn.SpikingNeuron.init()
    others(x)
    snn.Leaky.reset_hidden()
    assert others.mem.any()


def test_a_constructor_that_raises_leaves_nothing():
    gc.collect()
    before = len(snn.SpikingNeuron.instances)
    with pytest.raises(ValueError):
        snn.Leaky(beta=0.9, reset_mechanism="hard")
    gc.collect()
    assert len(snn.SpikingNeuron.instances) == before
    snn.Leaky.reset_hidden()


# Memory


def test_neurons_die():
    gc.collect()
    before = len(snn.SpikingNeuron.instances)
    first = weakref.ref(snn.Leaky(beta=0.9))
    for _ in range(1000):
        snn.Leaky(beta=0.9)(torch.rand(3))
    gc.collect()
    assert first() is None
    assert len(snn.SpikingNeuron.instances) <= before


def resident():
    """Bytes of memory that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux' /proc")
def test_training_does_not_grow():
    net = network()
    for i in range(2001):
        output(net).sum().backward()
        net.zero_grad()
        if i == 200:
            gc.collect()
            before = resident()
    gc.collect()
    assert resident() - before < 2 << 20


HOLDERS = {
    "tensor": lambda x: x,
    "view": lambda x: x[3:],
    "transposed": lambda x: x.t(),
    "detached": lambda x: x.detach(),
    "bytes": lambda x: x.view(torch.uint8),
    "array": lambda x: x.numpy(),
    "storage": lambda x: x.untyped_storage(),
    "typed storage": lambda x: x.storage(),
    "memory": lambda x: memoryview(x.numpy()),
    "dlpack": lambda x: torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(x)),
}

LARGE = (1024, 300)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
@pytest.mark.parametrize("holder", HOLDERS)
def test_memory_in_use_is_not_handed_out_again(holder):
    snn.empty_cache()
    x = buffer.empty(LARGE)
    address = x.data_ptr()
    held = HOLDERS[holder](x)
    del x
    others = [buffer.empty(LARGE) for _ in range(3)]
    assert address not in [other.data_ptr() for other in others]
    assert len({other.data_ptr() for other in others}) == 3
    del held
    gc.collect()
    assert buffer.empty(LARGE).data_ptr() == address


def test_saved_tensors_keep_their_memory():
    x = torch.rand(64, 16, 400, requires_grad=True)
    _, membranes = snn.Leaky(beta=0.8, multi_step=True)(x)
    square = membranes.square().sum()
    wanted = membranes.detach().clone()
    address = membranes.data_ptr()
    del membranes
    later = [snn.Leaky(beta=0.5, multi_step=True)(x)[1] for _ in range(3)]
    assert address not in [y.data_ptr() for y in later]
    (grad,) = torch.autograd.grad(square, x)
    x2 = x.detach().clone().requires_grad_()
    snn.Leaky(beta=0.8, multi_step=True)(x2)[1].backward(2 * wanted)
    assert same_bits(grad, x2.grad)
