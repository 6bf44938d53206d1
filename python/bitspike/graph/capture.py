"""Capturing a program: it runs once, and what it calls is recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ._before import Before
from ._frames import outer_variables
from ._known import Known
from ._patches import patched
from ._recorder import Recorder, is_leaf
from .program import Graph

_LOCK = threading.RLock()
"""One program is captured at a time, because calls of modules are intercepted for all threads."""


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
    with _LOCK, Before(known.names.modules) as before:
        recorder = Recorder(known, before)
        with patched(recorder):
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
