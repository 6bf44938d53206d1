"""Neurons under transforms of torch.func, forward-mode differentiation, and hooks of autograd."""

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import bitspike as snn
from helpers.cases import CASES

# torch's own, of forward-mode differentiation.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")

OTHERS = {
    "RLeaky": lambda: snn.RLeaky(0.7, linear_features=3, multi_step=True),
    "RSynaptic": lambda: snn.RSynaptic(0.5, 0.7, V=0.3, all_to_all=False, multi_step=True),
    "RALIF": lambda: snn.RALIF(0.7, 0.9, 0.3, V=0.3, all_to_all=False, multi_step=True),
    "SLSTM": lambda: snn.SLSTM(3, 3, threshold=0.1, multi_step=True),
    "SGRU": lambda: snn.SGRU(3, 3, threshold=0.1, multi_step=True),
    "StateLeaky": lambda: snn.StateLeaky(0.7, 3),
    "LinearLeaky": lambda: snn.LinearLeaky(0.7, 3, 3),
    "LeakyParallel": lambda: snn.LeakyParallel(3, 3, beta=0.7),
    "AssociativeLeaky": lambda: snn.AssociativeLeaky(3, 2, 2),
    "LI": lambda: snn.LI(beta=0.7, multi_step=True),
    "SRM0": lambda: snn.SRM0(torch.ones(3), -torch.ones(3), multi_step=True),
    "ModulatedLeaky": lambda: snn.ModulatedLeaky(0.5, gain=1.0, multi_step=True),
    "CLIF": lambda: snn.CLIF(0.7, multi_step=True),
    "GLIF": lambda: snn.GLIF(5, 3, multi_step=True),
    "TCLIF": lambda: snn.TCLIF(multi_step=True),
    "CobaLIF": lambda: snn.CobaLIF(dt=1.0, multi_step=True),
    "PSN": lambda: snn.PSN(5),
    "MaskedPSN": lambda: snn.MaskedPSN(5, 3, multi_step=True),
    "SlidingPSN": lambda: snn.SlidingPSN(3, multi_step=True),
    "ScanLeaky": lambda: snn.ScanLeaky(0.7, multi_step=True),
    "SynapticDelay": lambda: snn.SynapticDelay(3, 1.5, step_mode=False),
    "GradedSpikes": lambda: snn.GradedSpikes(3),
    "BatchNormTT": lambda: snn.BatchNormTT1d(3, 5).eval(),
}
ONLY_GRADIENTS = ("SLSTM", "SGRU")
"""Their cells are torch's, which has neither forward-mode derivatives nor batches of them."""

modules = pytest.mark.parametrize("name", [*map(str, CASES), *OTHERS])


def flat(result):
    return [result] if isinstance(result, torch.Tensor) else [x for r in result for x in flat(r)]


def make(name):
    """A module, and a sequence of its inputs."""
    for case in CASES:
        if str(case) == name:
            return case.neuron(3, case.kind.RESETS[0], True), case.inputs(5, 2, 3)[0]
    return OTHERS[name](), torch.rand(5, 2, 3)


def total(module, x):
    return sum((y * 1).square().sum() for y in flat(module(x)))


def close(one, other):
    return torch.allclose(one, other, rtol=1e-3, atol=1e-3 * other.detach().abs().max().item())


def gradient(module, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(total(module, x), x)[0]


@modules
def test_transforms_of_the_input(name):
    module, x = make(name)
    wanted = gradient(module, x)

    def function(x):
        return total(module, x)

    def last(x):
        return flat(module(x))[-1] * 1

    assert close(grad(function)(x), wanted)
    assert close(vjp(function, x)[1](torch.ones(()))[0], wanted)
    if name in ONLY_GRADIENTS:
        return
    assert close(jacrev(last)(x), torch.autograd.functional.jacobian(last, x))
    batch = torch.stack([x, x * 1.1])
    assert close(vmap(last)(batch), torch.stack([last(x) for x in batch]))
    assert close(vmap(grad(function))(batch), torch.stack([gradient(module, x) for x in batch]))
    assert close(jvp(function, (x,), (torch.ones_like(x),))[1], wanted.sum())
    assert close(jacfwd(function)(x), wanted)
    assert hessian(function)(x).isfinite().all()


@modules
def test_transforms_of_the_parameters(name):
    module, x = make(name)
    parameters = {k: v.detach() for k, v in module.named_parameters() if v.requires_grad}
    if not parameters:
        pytest.skip("nothing is learned")
    leaves = [x for x in module.parameters() if x.requires_grad]
    wanted = torch.autograd.grad(total(module, x), leaves, allow_unused=True)

    def function(parameters):
        return sum((y * 1).square().sum() for y in flat(functional_call(module, parameters, (x,))))

    got = grad(function)(parameters)
    for key, expected in zip(parameters, wanted, strict=True):
        assert expected is None or close(got[key], expected)


@pytest.mark.parametrize(
    "name", [x for x in (*map(str, CASES), *OTHERS) if x not in ONLY_GRADIENTS]
)
def test_forward_mode(name):
    module, x = make(name)
    wanted = gradient(module, x).sum()
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones_like(x))
        tangent = forward_ad.unpack_dual(total(module, dual)).tangent
    assert close(tangent, wanted)


@modules
def test_hooks_for_saved_tensors_and_anomaly_mode(name):
    module, x = make(name)
    wanted = gradient(module, x)
    with torch.autograd.graph.saved_tensors_hooks(torch.clone, torch.clone):
        assert torch.equal(gradient(module, x), wanted)
    with torch.autograd.graph.save_on_cpu():
        assert torch.equal(gradient(module, x), wanted)
    with pytest.warns(UserWarning, match="Anomaly"), torch.autograd.detect_anomaly():
        assert torch.equal(gradient(module, x), wanted)


def test_hidden_states_in_a_transform_do_not_outlive_it():
    lif = snn.Leaky(beta=0.5, init_hidden=True, output=True)

    def two_steps(x):
        lif.reset_mem()
        return [lif(current)[1] for current in x][-1]

    x = torch.rand(4, 2, 3)
    assert torch.allclose(vmap(two_steps)(x), x[:, 0] * 0.5 + x[:, 1] - 0)
    assert torch.equal(lif(x[0, 0])[1], x[0, 0])
