"""What sees every call that a program makes, and writes it down."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bitspike.ops.route import has_hooks
from bitspike.state import HiddenState

from . import _functions as functions
from ._before import Before
from ._frames import Places, line
from ._known import Known
from .errors import GraphError
from .values import Node, Output, map_leaves, tensors_of, values_of


class Recorder(TorchFunctionMode):
    """Records the calls of a program while it runs."""

    def __init__(self, known: Known, before: Before) -> None:
        self.known = known
        self.before = before
        self._kept: dict[HiddenState, list[Tensor]] = {}
        """The states that modules have kept after their last call."""
        self.nodes: list[Node] = []
        self.places = Places()
        self.is_running = False
        self._autocast = torch.is_autocast_enabled("cpu")

    def run(self, program: Callable[[], Any]) -> Any:
        """Runs a program under this recorder."""
        with self:
            self.is_running = True
            try:
                result = program()
            finally:
                self.is_running = False
        for module in self.before.attributes:
            self._meet(module)
        return result

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Calls inside are not recorded."""
        self.is_running = False
        try:
            yield
        finally:
            self.is_running = True

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = functions.name_of(func)
        if not self.is_running or name in functions.ABOUT:
            return func(*args, **kwargs)
        written = functions.out_of_place(func)
        if written is not None:
            return self._write(func, written, args, kwargs)
        reason = functions.refusal(func, args)
        if reason:
            raise GraphError(reason, line())
        return self._call(self._node(func, name.strip("_"), args, kwargs), func, args, kwargs)

    def call_module(
        self, module: nn.Module, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        """A call of a module: recorded if it is a leaf, and else the calls that it makes."""
        with self.paused():
            self._meet(module)
        name = self.known.names.of(module)
        if not is_leaf(module):
            if has_hooks(module):
                raise GraphError(
                    f"{name}, {type(module).__name__}, has hooks; only modules of torch.nn and "
                    "neurons may have",
                    line(),
                )
            return call(module, *args, **kwargs)
        with self.paused():
            entry = self.known.names.entry(module)
            if entry is not None and len(args) == 1 and not kwargs:
                norms, step = entry
                node = self._node(norms.at, self.known.names.of(norms), (step, *args), {})
                return self._call(node, lambda x: call(module, x), args, kwargs)
            node = self._node(module, name, args, kwargs)
            node.given = self.known.structure(_states_given(module, args, kwargs))
            self._expect_own_states(node)
            return self._call(node, lambda *a, **k: call(module, *a, **k), args, kwargs)

    def call_method(self, module: HiddenState, name: str, original: Callable[[Any], Any]) -> Any:
        """A method that resets or detaches the states of a module."""
        with self.paused():
            self._meet(module)
            path = f"{self.known.names.of(module)}.{name}"
            node = self._node(getattr(module, name), path, (), {})
            return self._call(node, lambda: original(module), (), {})

    def call_function(self, kind: Any, apply: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A function of autograd with a gradient of its own."""
        with self.paused():
            node = self._node(kind.apply, kind.__name__, args, kwargs)
            return self._call(node, apply, args, kwargs)

    def _meet(self, module: nn.Module) -> None:
        """Notes what a module holds; refuses states that no call has left there."""
        self.before.meet(module)
        if not isinstance(module, HiddenState):
            return
        kept = self._kept.setdefault(module, self.before.states(module))
        if any(a is not b for a, b in zip(kept, module._kept(), strict=True)):
            raise GraphError(
                f"a state of {self.known.names.of(module)} is set by assignment; pass it to the "
                "neuron, or call reset_mem",
                line(),
            )

    def _node(self, target: Any, name: str, args: Any, kwargs: Any) -> Node:
        if torch.is_autocast_enabled("cpu") != self._autocast:
            raise GraphError("autocast is switched inside the captured program", line())
        return Node(
            target=target,
            name=name,
            args=self.known.structure(args),
            kwargs=self.known.structure(kwargs),
            line=line(),
            site=self.places.site(),
            records=torch.is_grad_enabled(),
        )

    def _call(self, node: Node, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Runs a call, and records it if it makes tensors or touches hidden state."""
        inputs = list(tensors_of((args, kwargs)))
        buffers = list(node.module.buffers()) if node.module is not None else []
        versions = [_version(x) for x in inputs], [_version(x) for x in buffers]
        random = torch.get_rng_state()
        self.before.keep_generators(args, kwargs)
        result = call(*args, **kwargs)
        if [_version(x) for x in inputs] != versions[0]:
            raise GraphError(
                f"{node.name} writes into its input; use it without inplace=True or out=",
                node.line,
            )
        node.writes = [_version(x) for x in buffers] != versions[1]
        node.on_cpu = all(x.is_cpu for x in tensors_of(result))
        node.draws = not torch.equal(random, torch.get_rng_state()) or functions.draws(node)
        self._expect_tensors(node, result)
        node.result = map_leaves(lambda x: self.known.made(node, x), result)
        if node.stateful is not None:
            kept = self._kept[node.stateful] = node.stateful._kept()
            node.states = tuple(self.known.made(node, x) for x in kept)
        if node.outputs or node.stateful is not None:
            self.nodes.append(node)
        return result

    def _expect_tensors(self, node: Node, result: Any) -> None:
        """Refuses a function that tells numbers of tensors."""
        if node.module is not None or any(True for _ in tensors_of(result)):
            return
        if any(True for _ in values_of((node.args, node.kwargs))):
            raise GraphError(
                f"the numbers of a tensor decide what the program does ({node.name}); a graph "
                "holds for all numbers",
                node.line,
            )

    def _expect_own_states(self, node: Node) -> None:
        """Refuses a neuron that is called with the state of another one."""
        for state in node.given:
            maker = state.node if isinstance(state, Output) else node
            owner = maker.stateful
            if owner is None or owner is node.stateful or state not in maker.states:
                continue
            raise GraphError(
                f"{node.name} is called with {owner.STATES[maker.states.index(state)]} of "
                f"{maker.name}; a neuron continues its own state",
                node.line,
            )

    def _write(self, func: Any, written: Any, args: Any, kwargs: Any) -> Any:
        """An operation that writes into a tensor: from here on another value stands for it."""
        x, name = args[0], functions.name_of(func)
        node = self._node(written, name.strip("_"), args, kwargs)
        value = self.known.of(x)
        reason = ""
        if not isinstance(value, Output):
            reason = "into a tensor that the program did not make"
        elif value.node.stateful is not None:
            reason = (
                f"into what {value.node.name} returned, which it may keep as its state; use an "
                "operation that returns a new tensor"
            )
        elif self.known.shares_memory(x):
            reason = "into a tensor of which there are views"
        else:
            probe = written(x, *args[1:], **kwargs)
            if (probe.shape, probe.dtype) != (x.shape, x.dtype):
                reason = f"{probe.dtype} into a tensor of {x.dtype}"
        if reason:
            raise GraphError(f"{name} writes {reason}", node.line)
        result = func(*args, **kwargs)
        node.result = Output(x.shape, x.dtype, node, 0)
        node.outputs.append(node.result)
        self.nodes.append(node)
        self.known.set(x, node.result)
        return result


def is_leaf(module: nn.Module) -> bool:
    """Whether a call of a module is one call in a graph."""
    if isinstance(module, nn.Sequential):
        return False
    library = type(module).__module__.partition(".")[0]
    return isinstance(module, HiddenState) or library in ("torch", __name__.partition(".")[0])


def _states_given(module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, ...]:
    """The states that a call passes to a module with hidden state, and None for others."""
    if not isinstance(module, HiddenState):
        return ()
    try:
        bound = inspect.signature(module.forward).bind(*args, **kwargs).arguments
    except TypeError:  # the call itself will say so
        return ()
    return tuple(bound.get(name) for name in module.STATES)


def _version(x: Tensor) -> int:
    return 0 if x.is_inference() else x._version
