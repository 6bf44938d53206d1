"""Monitors of what goes into layers, comes out of them, or stays in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from .monitor import BaseMonitor, Kinds, as_it_is, unpack_len1_tuple


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
        function_on_output: Callable[[Any], Any] = as_it_is,
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
        function_on_input: Callable[[Any], Any] = as_it_is,
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
        function_on_attribute: Callable[[Any], Any] = as_it_is,
    ) -> None:
        super().__init__()
        self.attribute_name = attribute_name
        self.function_on_attribute = function_on_attribute
        before, after = nn.Module.register_forward_pre_hook, nn.Module.register_forward_hook
        self._watch(net, instance, before if pre_forward else after)

    def _read(self, layer: nn.Module, *arguments: Any) -> Any:
        return self.function_on_attribute(getattr(layer, self.attribute_name))
