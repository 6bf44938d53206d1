"""Values of spikes in compiled functions, which break the graph or are part of it."""

import operator

import pytest
import torch

from bitspike import SpikeTensor

# Code that torch meets behind a break, it tries to compile as well.
pytestmark = pytest.mark.filterwarnings("ignore:Dynamo does not know how to trace:UserWarning")

SPIKES = SpikeTensor.from_dense((torch.arange(5 * 3 * 70).view(5, 3, 70) % 7 < 2).float())


@pytest.fixture(autouse=True)
def fresh_dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


BREAKING = {
    "density": lambda x: x * x.density(),
    "to_events": lambda x: torch.stack(x.to_events()),
    "to_indices": lambda x: torch.cat(x.to_indices(one_based=True)),
    "tolist": lambda x: torch.tensor(x[0, 0].tolist()),
    "numpy": lambda x: torch.from_numpy(x.numpy()) + 1,
    "item": lambda x: x.sum().item() + x[..., 0],
    "nonzero": lambda x: x.nonzero(),
    "count_nonzero": lambda x: x.count_nonzero() + x,
}
WHOLE = {
    "shape": lambda x: x.sum(0) * x.shape[0] + len(x) + x.shape[-1],
    "dtype": lambda x: torch.ones(3, dtype=x.dtype) * x.dim(),
    "steps": lambda x: x[1] + x[2:4].sum(0) + sum(step * 2 for step in x),
    "neurons": lambda x: x[..., 3:9] * 2,
    "added in place": lambda x: operator.iadd(x, 1) * 2,
    "without features": lambda x: x.sum((0, 1, 2)) + x.count_nonzero(),
}


@pytest.mark.parametrize("name", BREAKING)
def test_values_break_the_graph(name):
    function = BREAKING[name]
    assert torch.equal(torch.compile(function, backend="eager")(SPIKES), function(SPIKES))


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_values_in_one_graph(name, backend):
    function = WHOLE[name]
    compiled = torch.compile(function, backend=backend, fullgraph=True)
    assert torch.equal(compiled(SPIKES), function(SPIKES))


def test_it_prints_between_graphs(capsys):
    def function(x):
        print(x)
        return x * 2

    assert torch.equal(torch.compile(function, backend="eager")(SPIKES), function(SPIKES))
    for line in capsys.readouterr().out.splitlines():
        assert line.startswith("SpikeTensor(shape=(5, 3, 70)")
