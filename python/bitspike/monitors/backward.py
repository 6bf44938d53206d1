"""Monitors of gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from .monitor import BaseMonitor, Kinds, as_it_is, unpack_len1_tuple


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
        function_on_grad_input: Callable[[Any], Any] = as_it_is,
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
        function_on_grad_output: Callable[[Any], Any] = as_it_is,
    ) -> None:
        super().__init__()
        self.function_on_grad_output = function_on_grad_output
        self._watch(net, instance, nn.Module.register_full_backward_hook)

    def _read(self, layer: nn.Module, grad_input: Any, grad_output: Any) -> Any:
        return self.function_on_grad_output(unpack_len1_tuple(grad_output))
