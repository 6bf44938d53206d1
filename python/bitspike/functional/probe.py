"""Monitors: what goes into layers, comes out of them, or stays in them, call by call.

A monitor hangs a hook on every layer of a class. The records are what the layers took or returned,
the same objects: packed spikes stay packed, and what has a graph keeps it. Run the network under
``torch.no_grad()``, or let the monitor's function detach, if memory matters.

One call is one record. A neuron with ``multi_step=True``, or in `bitspike.unroll`, is called once
for a whole sequence; `bitspike.unroll` calls layers without time of their own with time folded into
the batch.
"""

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


def _as_it_is(x: Any) -> Any:
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
        for name, layer in layers:
            self.monitored_layers.append(name)
            self.name_records_index[name] = []
            self.hooks.append(register(layer, partial(self._record, name)))

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


class OutputMonitor(BaseMonitor):
    """Records what layers return: of a neuron that returns spikes alone, its spikes.

    Source: snnTorch 1.0 (Eshraghian et al. 2023).

    Args:
        net: The network.
        instance: A class of layers or a tuple of classes; by default that of ``net``.
        function_on_output: What is recorded of an output; by default all of it.

    Raises:
        TypeError: if ``instance`` is no class.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> from bitspike.functional import probe
        >>> lif = snn.Leaky(beta=0.9, init_hidden=True, multi_step=True)
        >>> net = nn.Sequential(nn.Linear(8, 4), lif)
        >>> monitor = probe.OutputMonitor(net, snn.Leaky)
        >>> spikes = net(torch.rand(25, 2, 8))
        >>> monitor.monitored_layers, monitor["1"][0] is spikes
        (['1'], True)
    """

    def __init__(
        self,
        net: nn.Module,
        instance: Kinds | None = None,
        function_on_output: Callable[[Any], Any] = _as_it_is,
    ) -> None:
        super().__init__()
        self.function_on_output = function_on_output
        self._watch(net, instance, nn.Module.register_forward_hook)

    def _read(self, layer: nn.Module, inputs: Any, output: Any) -> Any:
        return self.function_on_output(unpack_len1_tuple(output))


class InputMonitor(BaseMonitor):
    """Records what layers take: the argument if there is one, or the tuple of all positional ones.

    Source: snnTorch 1.0 (Eshraghian et al. 2023).

    Args:
        net: The network.
        instance: A class of layers or a tuple of classes; by default that of ``net``.
        function_on_input: What is recorded of an input; by default all of it.

    Raises:
        TypeError: if ``instance`` is no class.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike.functional import probe
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        >>> monitor = probe.InputMonitor(net, nn.Linear, function_on_input=torch.sum)
        >>> _ = net(torch.ones(3, 2))
        >>> monitor.records
        [tensor(6.)]
    """

    def __init__(
        self,
        net: nn.Module,
        instance: Kinds | None = None,
        function_on_input: Callable[[Any], Any] = _as_it_is,
    ) -> None:
        super().__init__()
        self.function_on_input = function_on_input
        self._watch(net, instance, nn.Module.register_forward_hook)

    def _read(self, layer: nn.Module, inputs: Any, output: Any) -> Any:
        return self.function_on_input(unpack_len1_tuple(inputs))


class AttributeMonitor(BaseMonitor):
    """Records an attribute of layers before or after each call, such as a neuron's ``mem``.

    After a sequence the states of a neuron are those of its last step.

    Source: snnTorch 1.0 (Eshraghian et al. 2023).

    Args:
        attribute_name: Which attribute.
        pre_forward: Whether it is read before a call instead of after it.
        net: The network.
        instance: A class of layers or a tuple of classes; by default that of ``net``.
        function_on_attribute: What is recorded of it; by default all of it.

    Raises:
        TypeError: if ``instance`` is no class.
        AttributeError: in a call, if the layer has no such attribute.

    Example:
        >>> import torch, bitspike as snn
        >>> from bitspike.functional import probe
        >>> lif = snn.Leaky(beta=0.5, init_hidden=True)
        >>> monitor = probe.AttributeMonitor("mem", False, lif)
        >>> _ = lif(torch.ones(1)), lif(torch.zeros(1))
        >>> monitor.records
        [tensor([1.]), tensor([0.5000])]
    """

    def __init__(
        self,
        attribute_name: str,
        pre_forward: bool,
        net: nn.Module,
        instance: Kinds | None = None,
        function_on_attribute: Callable[[Any], Any] = _as_it_is,
    ) -> None:
        super().__init__()
        self.attribute_name = attribute_name
        self.function_on_attribute = function_on_attribute
        before, after = nn.Module.register_forward_pre_hook, nn.Module.register_forward_hook
        self._watch(net, instance, before if pre_forward else after)

    def _read(self, layer: nn.Module, *arguments: Any) -> Any:
        return self.function_on_attribute(getattr(layer, self.attribute_name))


class GradInputMonitor(BaseMonitor):
    """Records the gradients of what layers took, in the order in which they are computed.

    The gradient is that through the layer alone, also of an input that others take as well. It is
    None for an input that needs none, and torch warns if no input of a layer needs any.

    Around a layer with such a hook, torch turns `bitspike.DenseSpikes` into ordinary tensors, which
    ``nn.Linear`` does not pack: its sums in a time loop are then torch's, to the last bit.
    Sequences stay packed.

    Source: snnTorch 1.0 (Eshraghian et al. 2023).

    Args:
        net: The network.
        instance: A class of layers or a tuple of classes; by default that of ``net``.
        function_on_grad_input: What is recorded of a gradient; by default all of it.

    Raises:
        TypeError: if ``instance`` is no class.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike.functional import probe
        >>> layer = nn.Hardtanh()
        >>> monitor = probe.GradInputMonitor(layer)
        >>> layer(torch.tensor([0.5, 1.5], requires_grad=True)).sum().backward()
        >>> monitor.records
        [tensor([1., 0.])]
    """

    def __init__(
        self,
        net: nn.Module,
        instance: Kinds | None = None,
        function_on_grad_input: Callable[[Any], Any] = _as_it_is,
    ) -> None:
        super().__init__()
        self.function_on_grad_input = function_on_grad_input
        self._watch(net, instance, nn.Module.register_full_backward_hook)

    def _read(self, layer: nn.Module, grad_input: Any, grad_output: Any) -> Any:
        return self.function_on_grad_input(unpack_len1_tuple(grad_input))


class GradOutputMonitor(BaseMonitor):
    """Records the gradients of what layers returned, in the order in which they are computed.

    In a time loop, spikes become ordinary tensors as with `GradInputMonitor`.

    Source: snnTorch 1.0 (Eshraghian et al. 2023).

    Args:
        net: The network.
        instance: A class of layers or a tuple of classes; by default that of ``net``.
        function_on_grad_output: What is recorded of a gradient; by default all of it.

    Raises:
        TypeError: if ``instance`` is no class.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike.functional import probe
        >>> layer = nn.Hardtanh()
        >>> monitor = probe.GradOutputMonitor(layer)
        >>> (3 * layer(torch.tensor([0.5], requires_grad=True))).sum().backward()
        >>> monitor.records
        [tensor([3.])]
    """

    def __init__(
        self,
        net: nn.Module,
        instance: Kinds | None = None,
        function_on_grad_output: Callable[[Any], Any] = _as_it_is,
    ) -> None:
        super().__init__()
        self.function_on_grad_output = function_on_grad_output
        self._watch(net, instance, nn.Module.register_full_backward_hook)

    def _read(self, layer: nn.Module, grad_input: Any, grad_output: Any) -> Any:
        return self.function_on_grad_output(unpack_len1_tuple(grad_output))
