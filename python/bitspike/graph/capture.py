"""Capturing a program: it runs once, and what it calls is recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.state import HiddenState

from ._before import Before
from ._frames import line, outer_variables
from ._known import Known
from ._recorder import Recorder, is_leaf
from .errors import GraphError
from .program import Graph


def capture(program: Callable[..., Any], *args: Any, **kwargs: Any) -> Graph:
    """Records what a program calls, by running it once with these arguments.

    Modules of ``torch.nn`` (other than ``nn.Sequential``) and of this package are single calls, and
    so are torch's functions and methods of tensors; every other module is a part of the program.
    Loops over time are unrolled: :func:`fold` finds their steps again. Hidden states, buffers and
    random numbers are afterwards what they were before.

    Numbers that are no tensors, such as shapes, the number of steps and ``training``, become part
    of the graph, which is valid for these alone.

    Args:
        program: An ``nn.Module``, or a function that calls modules.
        args: What it is called with: examples in the right shapes.
        kwargs: Likewise.

    Raises:
        GraphError: where the program does what a graph cannot say: it looks at the numbers of a
            tensor, writes into one that something else refers to, calls a neuron with the state of
            another one, ...; with the line and the reason.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(3, 2), snn.Leaky(beta=0.9, init_hidden=True))
        >>> print(snn.graph.capture(net, torch.rand(4, 3)))
        Sequential(input [4, 3]):
          0 [4, 2] = Linear(input)
          1 [4, 2], 1.mem [4, 2] = Leaky(0, kept state)
          return 1
    """
    known = Known(program, args, kwargs)
    recorder = Recorder(known)
    with Before() as before, _patched(recorder, before):
        result = recorder.run(lambda: program(*args, **kwargs))
        sets = before.attributes_set(known)
    modules = known.names.of_modules()
    functions = [program, *(type(x).forward for x in modules if not is_leaf(x))]
    return Graph(
        name=known.names.program,
        inputs=known.inputs,
        nodes=recorder.nodes,
        result=known.structure(result),
        sets=sets,
        modules=modules,
        variables=[x for function in functions for x in outer_variables(function)]
        + list(recorder.places.variables()),
    )


@contextmanager
def _patched(recorder: Recorder, before: Before) -> Iterator[None]:
    """Calls of modules, and resets of their states, go through the recorder in this thread."""
    thread = threading.get_ident()

    def is_mine() -> bool:
        return threading.get_ident() == thread and recorder.is_running

    call: Any = nn.Module.__call__

    def call_module(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if not is_mine():
            return call(module, *args, **kwargs)
        with recorder.paused():
            before.meet(module)
        return recorder.call_module(module, call, args, kwargs)

    def method(owner: type, name: str) -> Callable[..., Any]:
        original: Any = owner.__dict__[name]

        def call_method(module: Any) -> Any:
            if not is_mine():
                return original(module)
            with recorder.paused():
                before.meet(module)
            return recorder.call_method(module, name, original)

        return call_method

    def from_numpy(array: Any) -> Tensor:
        if is_mine():
            raise GraphError(
                "torch.from_numpy would freeze its numbers: pass them as an argument",
                line(),
            )
        return original_from_numpy(array)

    original_from_numpy = torch.from_numpy
    with ExitStack() as stack:
        _patch(stack, nn.Module, "__call__", call_module)
        for owner in _with_own(HiddenState):
            for name in ("reset_mem", "detach_mem"):
                if name in owner.__dict__:
                    _patch(stack, owner, name, method(owner, name))
        _patch(stack, torch, "from_numpy", from_numpy)
        yield


def _with_own(owner: type) -> Iterator[type]:
    yield owner
    children: list[type] = owner.__subclasses__()
    for child in children:
        yield from _with_own(child)


def _patch(stack: ExitStack, owner: Any, name: str, replacement: Any) -> None:
    stack.callback(setattr, owner, name, owner.__dict__[name])
    setattr(owner, name, replacement)
