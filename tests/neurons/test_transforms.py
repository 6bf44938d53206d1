"""Neurons under transforms of torch.func, forward-mode differentiation, and hooks of autograd."""

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import bitspike as snn
from helpers.cases import CASES
from helpers.three import OTHERS, flat, make

# torch's own, of forward-mode differentiation.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")

ONLY_GRADIENTS = ("SLSTM", "SGRU")
"""Their cells are torch's, which has neither forward-mode derivatives nor batches of them."""

IN_TRAINING = ("BatchNormTT", "TimeDropout")
"""Those that write buffers or draw numbers, which transforms of functions do not allow."""

NAMES = [*map(str, CASES), *(name for name in OTHERS if name not in IN_TRAINING)]
modules = pytest.mark.parametrize("name", NAMES)


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


@pytest.mark.parametrize("name", [x for x in NAMES if x not in ONLY_GRADIENTS])
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
