"""What all monitors share: records, and which of them belongs to which layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

Kinds = type[nn.Module] | tuple[type[nn.Module], ...]
"""What ``isinstance`` takes."""


def unpack_len1_tuple(x: Any) -> Any:
    """The element of a tuple that has only one, and anything else as it is.

    Example:
        >>> unpack_len1_tuple((3,)), unpack_len1_tuple((3, 4))
        (3, (3, 4))
    """
    return x[0] if isinstance(x, tuple) and len(x) == 1 else x


def as_it_is(x: Any) -> Any:
    """All of it: what is recorded by default."""
    return x


class BaseMonitor:
    """What all monitors share: the records, and which of them belongs to which layer.

    ``monitor[3]`` is a record, ``monitor["lif1"]`` the list of those of one layer.

    Attributes:
        records: All records, in the order of calls.
        monitored_layers: The names of the layers, as ``net.named_modules()`` gives them; that of
            ``net`` itself is empty.
        name_records_index: By layer, which records are its own.
        hooks: The handles of the hooks.
    """

    _read: Callable[..., Any]
    """``_read(layer, *arguments of the hook)``: what to record."""

    def __init__(self) -> None:
        self.hooks: list[RemovableHandle] = []
        self.monitored_layers: list[str] = []
        self.records: list[Any] = []
        self.name_records_index: dict[str, list[int]] = {}
        self._enable = True

    def _watch(
        self, net: nn.Module, instance: Kinds | None, register: Callable[..., RemovableHandle]
    ) -> None:
        """Hangs a hook on every layer of the wanted class.

        Raises:
            TypeError: if ``instance`` is no class.
        """
        kinds = type(net) if instance is None else instance
        try:
            layers = [(name, m) for name, m in net.named_modules() if isinstance(m, kinds)]
        except TypeError:
            raise TypeError(
                f"instance must be a class or a tuple of classes, not {instance!r}"
            ) from None
        try:
            for name, layer in layers:
                self.hooks.append(register(layer, partial(self._record, name)))
        except RuntimeError:  # A layer with another kind of backward hook takes none of these.
            self.remove_hooks()
            raise
        self.monitored_layers = [name for name, _ in layers]
        self.name_records_index = {name: [] for name in self.monitored_layers}

    def _record(self, name: str, layer: nn.Module, *arguments: Any) -> None:
        if self._enable:
            value = self._read(layer, *arguments)
            self.name_records_index[name].append(len(self.records))
            self.records.append(value)

    def __getitem__(self, i: int | str) -> Any:
        """A record by its number, or the list of those of a layer.

        Raises:
            KeyError: for a layer that is not monitored.
            ValueError: for anything but a number or a name.
        """
        if isinstance(i, int):
            return self.records[i]
        if not isinstance(i, str):
            raise ValueError(f"a record has a number, and a layer a name: not {i!r}")
        if i not in self.name_records_index:
            raise KeyError(f"{i!r} is not monitored, but {self.monitored_layers} are")
        return [self.records[index] for index in self.name_records_index[i]]

    def clear_recorded_data(self) -> None:
        """Forgets all records."""
        self.records.clear()
        for indices in self.name_records_index.values():
            indices.clear()

    def enable(self) -> None:
        """Records again."""
        self._enable = True

    def disable(self) -> None:
        """Stops recording; the records stay."""
        self._enable = False

    def is_enable(self) -> bool:
        """Whether it records."""
        return self._enable

    def remove_hooks(self) -> None:
        """Stops recording for good; the records stay."""
        for hook in self.hooks:
            hook.remove()
