"""Hidden state under ``torch.utils.checkpoint``, which calls a module again during backward.

The second call must start from the state that the first one started from, and leave the state that
it has found. torch has no public way to learn that a checkpoint is open, so this file, and no
other, looks at private parts: the frame of a checkpoint without reentry is held by its hook for
saved tensors, and calls its ``recompute_fn``. Where a frame is not found, a second call is an error
rather than a wrong gradient.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils import checkpoint

_Frame: Any = getattr(checkpoint, "_CheckpointFrame", ())

_hooks: Any = torch._C._autograd


class _Recomputation(threading.local):
    """Whether this thread is calling modules again."""

    is_running = False


_recomputation = _Recomputation()


class _Replay:
    """A frame's ``recompute_fn``, from the states of its first run; restores those of now."""

    def __init__(self, recompute: Callable[..., Any]) -> None:
        self.recompute = recompute
        self.before: weakref.WeakKeyDictionary[Any, dict[str, Any]] = weakref.WeakKeyDictionary()

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        now = [(module, module._hidden_state()) for module in self.before]
        outer = _recomputation.is_running
        _recomputation.is_running = True
        try:
            for module, states in list(self.before.items()):
                module.__dict__.update(states)
            return self.recompute(*args, **keywords)
        finally:
            # torch ends the second call by an exception once it has all tensors that it needs.
            _recomputation.is_running = outer
            for module, states in now:
                module.__dict__.update(states)


def note(module: Any, reads: bool = True) -> None:
    """Notes the hidden state of a module that is about to be called, for each open checkpoint.

    Args:
        module: It has `HiddenState`.
        reads: Whether the call starts from that state.

    Raises:
        RuntimeError: if the module is called again during backward, and its state of then is lost.
    """
    if torch.compiler.is_compiling():
        return
    if _hooks._top_saved_tensors_default_hooks(True) is not None:
        for frame in _open_frames():
            if not isinstance(frame.recompute_fn, _Replay):
                frame.recompute_fn = _Replay(frame.recompute_fn)
            frame.recompute_fn.before.setdefault(module, module._hidden_state())
    in_backward = torch._C._current_graph_task_id() != -1 and torch.is_grad_enabled()
    if in_backward and reads and not _recomputation.is_running:
        raise RuntimeError(
            f"{type(module).__name__} keeps its state, and is called again during backward, when "
            "that state is another: torch.utils.checkpoint must be called with use_reentrant=False"
        )


def _open_frames() -> Iterator[Any]:
    """The frames of the checkpoints that are open, from the innermost."""
    for pack in _pack_hooks():
        for cell in getattr(pack, "__closure__", None) or ():
            if isinstance(cell.cell_contents, _Frame) and hasattr(
                cell.cell_contents, "recompute_fn"
            ):
                yield cell.cell_contents


def _pack_hooks() -> list[Any]:
    """All hooks that are called with saved tensors; torch shows only the top of their stack."""
    stack = []
    while (hooks := _hooks._top_saved_tensors_default_hooks(True)) is not None:
        stack.append(hooks)
        if not _hooks._saved_tensors_hooks_is_enabled():
            break
        _hooks._pop_saved_tensors_default_hooks()
    for hooks in reversed(stack):
        if _hooks._saved_tensors_hooks_is_enabled():
            _hooks._push_saved_tensors_default_hooks(*hooks)
    return [pack for pack, _ in stack]
