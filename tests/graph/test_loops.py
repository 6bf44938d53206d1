"""Loops that are found again among the calls of a program."""

import torch
from torch import nn

import bitspike as snn
from bitspike.graph import Earlier, Fixed, Loop, Place, Varying, capture, fold

fc1, fc2 = nn.Linear(3, 3), nn.Linear(3, 3)
lif = snn.Leaky(0.5)
X = torch.rand(5, 4, 3)


def folded(program, *args):
    """The parts of a program, in letters: a loop as its number of steps and its calls."""
    parts = fold(capture(program, *args).nodes)
    return [
        (part.steps, [calls[0].name for calls in part.body])
        if isinstance(part, Loop)
        else part.name
        for part in parts
    ]


def test_a_loop_between_other_calls():
    def program(x):
        x = x * 2
        return torch.stack([fc2(fc1(x_t)) for x_t in x])

    assert folded(program, X) == ["mul", "unbind", (5, ["fc1", "fc2"]), "stack"]


def test_two_loops():
    def program(x):
        hidden = [fc1(x_t) for x_t in x]
        return [fc2(h) for h in hidden]

    assert folded(program, X) == ["unbind", (5, ["fc1"]), (5, ["fc2"])]


def test_a_loop_over_layers_inside_of_one_over_time():
    def program(x):
        for x_t in x:
            for layer in (fc1, fc2):
                x_t = layer(x_t).relu()
        return x_t

    assert folded(program, X) == ["unbind", (5, ["fc1", "relu", "fc2", "relu"])]


def test_the_first_step_may_differ():
    def program(x):
        total = None
        for x_t in x:
            y = fc1(x_t)
            total = y if total is None else total + y
        return total

    assert folded(program, X) == ["unbind", "fc1", (4, ["fc1", "add"])]


def test_every_second_step():
    def program(x):
        for t in range(4):
            y = fc1(x[t])
            if t % 2:
                y = fc2(y)
        return y

    assert folded(program, X) == [(2, ["getitem", "fc1", "getitem", "fc1", "fc2"])]


def test_calls_without_a_loop():
    assert folded(lambda x: fc2(fc1(x)), X) == ["fc1", "fc2"]
    assert folded(lambda x: x, X) == []


def test_where_arguments_come_from():
    def program(x):
        mem, before = lif.reset_mem(), x[4]
        for t in range(4):
            spk, mem = lif(x[t] + before, mem)
            before = spk
        return mem

    first, reset, loop = fold(capture(program, X).nodes)[:3]
    if first.name != "getitem":
        first, reset = reset, first
    getitem, add, neuron = range(3)
    assert [calls[0].name for calls in loop.body] == ["getitem", "add", "lif"]
    (x, step), _ = loop.arguments(getitem)
    assert (x.value.name, step) == ("x", Varying((0, 1, 2, 3)))
    (current, back), _ = loop.arguments(add)
    assert current == Earlier(Place(getitem, 0), 0, ())
    assert back == Earlier(Place(neuron, 0), 1, (first.result,))
    assert loop.given(neuron) == (Earlier(Place(neuron, 1), 1, (reset.result,)),)
    assert isinstance(x, Fixed)
