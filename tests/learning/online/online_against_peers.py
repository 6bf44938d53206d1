"""Online rules beside another library; ``make peer-test`` runs it, and no other target."""

import importlib
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.learning import online
from helpers.online import BROKEN, difference, expect_life, learned, lively_task, network

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from spikingjelly.activation_based import functional, layer, neuron, surrogate
    from spikingjelly.activation_based.learning.online_learning import ottt_online_training


def theirs(net, x, costs):
    """Gradients of SpikingJelly's OTTT: it subtracts within the step, so beta scales that too."""
    modules = []
    for module in net:
        if isinstance(module, nn.Linear):
            modules.append(nn.Linear(module.in_features, module.out_features).double())
            modules[-1].load_state_dict(module.state_dict())
        else:
            options = {"surrogate_function": surrogate.ATan(2.0), "v_reset": None}
            modules.append(neuron.OTTTLIFNode(2.0, False, detach_reset=True, **options))
    modules[-1] = neuron.LIFNode(2.0, False, detach_reset=True, **options)
    peer = layer.OTTTSequential(*modules)
    ottt_online_training(
        peer,
        torch.optim.SGD(peer.parameters(), lr=0.0),
        x.transpose(0, 1),
        costs.transpose(0, 1),
        lambda y, cost: (y * cost).sum(),
        online=False,
    )
    functional.reset_net(peer)
    linear = [module for module in peer.modules() if isinstance(module, nn.Linear)]
    names = [f"{i}" for i, module in enumerate(net) if isinstance(module, nn.Linear)]
    return {name: module for name, module in zip(names, linear, strict=True)}


def test_spikingjelly_ottt():
    """Deeper layers are OTTT; its first layer, whose input is a plain tensor, has no trace."""
    common = {"reset_mechanism": "subtract_beta", "fire_at": "ge", "init_hidden": True}
    net = network(snn.Leaky(0.5, **common), layers=3)
    x, costs = lively_task(net)
    peer = theirs(net, x, costs)
    ottt = learned(net, online.OTTT(), x, costs)
    sltt = learned(net, online.SLTT(), x, costs)

    def far(name, found):
        return difference({"": found[f"{name}.weight"]}, {"": peer[name].weight.grad})

    assert far("2", ottt) < 1e-6 and far("4", ottt) < 1e-6
    assert far("0", sltt) < 1e-6
    assert far("2", sltt) > BROKEN and far("0", ottt) > BROKEN
    # And it gives every bias the gradient of the step alone.
    for name in ("2", "4"):
        bias = peer[name].bias.grad
        assert difference({"": sltt[f"{name}.bias"]}, {"": bias}) == pytest.approx(0, abs=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rule", [online.RTRL(), online.EProp()])
@pytest.mark.parametrize("block", [1, 5, 20])
def test_braintrace(rule, block):
    """The bench compares before it times, and here it compares alone: one layer, float32."""
    pytest.importorskip("braintrace", reason="its releases need Python 3.11")
    sys.path.append(str(Path(__file__).parents[3] / "benches" / "python"))
    bench = importlib.import_module("braintrace_peer")
    torch.manual_seed(0)
    x = (torch.rand(20, 2, 30) < 0.3).float()
    net = nn.Sequential(nn.Linear(30, 10, bias=False), snn.Leaky(0.875, init_hidden=True))
    costs = torch.randn(20, 2, 10)
    expect_life(net, x)
    learner = online.Learner(net, rule)
    for t in range(0, 20, block):
        learner.block(x[t : t + block]).backward(costs[t : t + block])
    peer = bench.learner(x, costs, [net[0].weight.detach()], rule.name, block)
    (theirs,) = peer()
    torch.testing.assert_close(net[0].weight.grad, theirs, atol=1e-5, rtol=1e-4)
    assert theirs.abs().max() > 0.1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "rule, theirs, options, other",
    [
        (online.SnAp(2), "SnAp", {"n": 2}, online.SnAp(1)),
        (online.RTRL(), "SnAp", {"n": 2}, online.EProp()),
        (online.SnAp(1), "SnAp", {"n": 1}, online.SnAp(2)),
        (online.EProp(), "EProp", {}, online.SnAp(1)),
    ],
    ids=["SnAp-2", "RTRL", "SnAp-1", "EProp"],
)
def test_braintrace_of_a_recurrent_layer(rule, theirs, options, other):
    """Its connection is dense, so that two steps reach all neurons."""
    pytest.importorskip("braintrace", reason="its releases need Python 3.11")
    net = network(snn.RLeaky(0.875, linear_features=5, init_hidden=True), dtype=torch.float32)
    net[0].bias, net[1].recurrent.bias = None, None
    x, costs = lively_task(net, dtype=torch.float32)
    parameters = {"0.weight": net[0].weight, "1.recurrent.weight": net[1].recurrent.weight}
    wanted = recurrent_gradients(theirs, options, x, costs, parameters)
    assert difference(learned(net, rule, x, costs), wanted) < 1e-5
    assert difference(learned(net, other, x, costs), wanted) > BROKEN


def recurrent_gradients(kind, options, x, costs, parameters):
    """Those of braintrace, of the weights of a recurrent layer by the names of ours."""
    import brainstate
    import braintrace
    import jax
    from jax import numpy as jnp

    sys.path.append(str(Path(__file__).parents[3] / "benches" / "python"))
    fire = importlib.import_module("jax_peer").fire
    batch, neurons = costs.shape[1:]

    class Layer(brainstate.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.back = (
                brainstate.ParamState(jnp.asarray(x.detach().t().contiguous().numpy()))
                for x in parameters.values()
            )

        def init_state(self, batch_size, **_):
            self.membrane = brainstate.HiddenState(jnp.zeros((batch_size, neurons)))

        def update(self, x):
            before = self.membrane.value
            spikes = fire(before - 1)
            current = braintrace.matmul(x, self.weight.value)
            current = current + braintrace.matmul(spikes, self.back.value)
            self.membrane.value = 0.875 * before + current - jax.lax.stop_gradient(spikes)
            return fire(self.membrane.value - 1)

    model, inputs, costs = Layer(), jnp.asarray(x.numpy()), jnp.asarray(costs.numpy())
    rule = getattr(braintrace, kind)
    learns = braintrace.compile(model, rule, inputs[0], batch_size=batch, **options)
    brainstate.nn.init_all_states(model, batch_size=batch)
    learns.reset_state(batch_size=batch)
    found = learns.etrace_grad(
        inputs,
        costs,
        step_fn=lambda some, cost: (learns.update(some) * cost).sum(),
        reduction="sum",
        chunk_size=None,
    )
    by_shape = {tuple(g.shape[::-1]): torch.from_dlpack(g).t() for g in jax.tree.leaves(found)}
    return {name: by_shape[tuple(x.shape)] for name, x in parameters.items()}
