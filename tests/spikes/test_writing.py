"""Writing into what is selected from spikes raises; what may give a new tensor does."""

import copy
import operator
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bitspike import SpikeTensor
from bitspike.spikes.dense import as_dense_spikes
from bitspike.spikes.unpacked_view import UnpackedView
from helpers.alike import random, same

SHAPE = (3, 4, 70)

SELECTIONS = {
    "x[..., 0]": lambda x: x[..., 0],
    "x[:, :, 3:65]": lambda x: x[:, :, 3:65],
    "select": lambda x: x.select(2, 0),
    "narrow": lambda x: x.narrow(2, 1, 5),
    "permute": lambda x: x.permute(2, 0, 1),
    "transpose": lambda x: x.transpose(1, 2),
    "mT": lambda x: x.mT,
    "view": lambda x: x.view(12, 7, 10)[:, 0],
    "flatten": lambda x: x.flatten(1)[:, 5],
    "unbind": lambda x: x.unbind(-1)[0],
    "split": lambda x: x.split(32, 2)[1],
    "diagonal": lambda x: x.diagonal(),
    "unfold": lambda x: x.unfold(0, 2, 1),
    "a step, and of that a neuron": lambda x: x[1][:, 2],
    "a view of a view": lambda x: x[..., 0][1:].t().unsqueeze(0),
    "detach": lambda x: x[..., 0].detach(),
    "no copy": lambda x: x[0, 0, :3][:].contiguous(),
    "view of another dtype": lambda x: x.view(torch.int32),
    "copy": lambda x: copy.copy(x[..., 0]),
    "operator": lambda x: torch.ops.aten.select.int(x, 2, 0),
}
WRITES = {
    "fill_": lambda y: y.fill_(1),
    "add_": lambda y: y.add_(1),
    "copy_": lambda y: y.copy_(torch.ones(y.shape)),
    "zero_": lambda y: y.zero_(),
    "x[...] = 1": lambda y: operator.setitem(y, ..., 1),
    "out": lambda y: torch.ones(y.shape, out=y),
    "out of spikes": lambda y: torch.add(SpikeTensor.from_dense(torch.ones(2)), 1, out=y),
    "out of dense spikes": lambda y: torch.add(as_dense_spikes(torch.ones(2)), 1, out=y),
    "out in a tuple": lambda y: torch.sort(torch.ones(2), out=(y, torch.ones(2).long())),
    "data": lambda y: setattr(y, "data", torch.ones(y.shape)),
    "foreach": lambda y: torch._foreach_add_([y], 1),
    "relu_": torch.relu_,
    "operator": lambda y: torch.ops.aten.fill_.Scalar(y, 1),
    "init": lambda y: nn.init.constant_(y, 1.0),
}


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", SELECTIONS)
def test_selections_read_like_dense_ones_and_cannot_be_written(name, mode):
    select, dense = SELECTIONS[name], random(*SHAPE)
    spikes = SpikeTensor.from_dense(dense)
    with mode():
        chosen, expected = select(spikes), select(dense)
        assert type(chosen) is UnpackedView
        for write in WRITES.values():
            with pytest.raises(RuntimeError, match="cannot be written"):
                write(chosen)
        assert torch.equal(chosen, expected) and same(spikes, dense)


@pytest.mark.parametrize("name", SELECTIONS)
def test_selections_of_spikes_made_in_inference_mode(name):
    dense = random(*SHAPE)
    with torch.inference_mode():
        spikes = SpikeTensor.from_dense(dense)
    chosen = SELECTIONS[name](spikes)
    assert torch.equal(chosen + 0, SELECTIONS[name](dense))
    with pytest.raises(RuntimeError, match="cannot be written"):
        chosen.fill_(1)


def test_what_is_computed_or_copied_can_be_written():
    spikes = SpikeTensor.from_dense(random(*SHAPE))
    chosen = spikes[..., 0]
    for result in (
        chosen + 0,
        chosen.clone(),
        chosen.sum(0),
        chosen > 0,
        chosen.double(),
        torch.stack([chosen, chosen]),
        chosen[torch.tensor([0, 1])],
        chosen.t().contiguous(),
        copy.deepcopy(chosen),
        pickle.loads(pickle.dumps(chosen)),
        spikes.dense(),
        spikes.flip(2),
    ):
        assert type(result) is torch.Tensor
        result.fill_(1)
        assert result.all()


def test_selections_send_gradients():
    dense = random(*SHAPE)
    gradients = []
    for x in (dense.clone().requires_grad_(), SpikeTensor.from_dense(dense).requires_grad_()):
        y = x[..., 3:9].transpose(0, 1)
        (y[1] * y[2] + y.square().sum()).sum().backward()
        gradients.append(x.grad)
    assert torch.equal(*gradients)


# What may give a new tensor

ASSIGNMENTS = ("iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow")
OTHERS = (2, torch.rand(SHAPE), torch.rand(70), torch.rand(SHAPE).double(), torch.tensor(3))


@pytest.mark.parametrize("other", OTHERS, ids=["2", "floats", "a row", "double", "an integer"])
@pytest.mark.parametrize("name", ASSIGNMENTS)
@pytest.mark.parametrize("select", [lambda x: x, lambda x: x[..., :]], ids=["spikes", "view"])
def test_augmented_assignments_bind_a_new_tensor(name, other, select):
    dense, assign = random(*SHAPE), getattr(operator, name)
    spikes = SpikeTensor.from_dense(dense)
    out, expected = assign(select(spikes), other), assign(dense.clone(), other)
    assert type(out) is torch.Tensor and out.dtype == torch.float32
    torch.testing.assert_close(out, expected, rtol=1e-6, atol=0, equal_nan=True)
    assert same(spikes, dense)


def test_augmented_assignments_raise_what_torch_does():
    spikes = SpikeTensor.from_dense(random(*SHAPE))
    with pytest.raises(RuntimeError, match="must fit"):
        spikes += torch.ones(2, *SHAPE)
    with pytest.raises(RuntimeError, match="must fit"):
        spikes *= 1j
    with pytest.raises(TypeError):
        spikes += "a"


def test_augmented_assignment_sends_gradients():
    dense = random(*SHAPE)
    gradients = []
    for x in (dense.clone().requires_grad_(), SpikeTensor.from_dense(dense).requires_grad_()):
        y = x * 1 if type(x) is torch.Tensor else x
        y += torch.ones(SHAPE)
        y *= 3
        y.square().sum().backward()
        gradients.append(x.grad)
    assert torch.equal(*gradients)


def test_dense_tensors_are_still_written():
    spikes, out = SpikeTensor.from_dense(torch.ones(3, 4)), torch.zeros(3, 4)
    same_object = out
    out += spikes
    out *= spikes[..., :]
    assert out is same_object and out.sum() == 12


MODULES = (
    nn.ReLU,
    nn.ReLU6,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.SiLU,
    nn.Mish,
    nn.LeakyReLU,
    nn.Hardtanh,
    nn.Hardswish,
    nn.Hardsigmoid,
)


@pytest.mark.parametrize("kind", MODULES)
def test_modules_that_work_in_place_give_a_new_tensor(kind):
    spikes = SpikeTensor.from_dense(random(*SHAPE))
    assert torch.equal(kind(inplace=True)(spikes), kind()(spikes))
    assert torch.equal(kind(inplace=True)(spikes[..., 0]), kind()(spikes[..., 0]))


@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout1d, nn.AlphaDropout])
def test_random_modules_that_work_in_place_draw_the_same(kind):
    spikes, outputs = SpikeTensor.from_dense(random(*SHAPE)), []
    for inplace in (False, True):
        torch.manual_seed(3)
        outputs.append(kind(inplace=inplace)(spikes))
    assert torch.equal(*outputs) and not torch.equal(outputs[0], spikes)
    assert same(spikes, random(*SHAPE))


def test_functions_named_for_writing_still_raise():
    spikes = SpikeTensor.from_dense(random(*SHAPE))
    for write in (F.relu_, F.elu_, F.hardtanh_, torch.dropout_):
        with pytest.raises((RuntimeError, TypeError)):
            write(spikes, 0.5, True) if write is torch.dropout_ else write(spikes)
    assert same(spikes, random(*SHAPE))
