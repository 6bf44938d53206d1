"""Spikes where a tensor is asked for the memory of its numbers, which they have none of."""

from __future__ import annotations

from typing import Any

import torch


class NoMemory:
    """What would read memory reads unpacked numbers, and what would write raises."""

    def __format__(self: Any, spec: str) -> str:
        return format(self.dense(), spec) if self.dim() == 0 else object.__format__(self, spec)

    def __setitem__(self, index: Any, value: Any) -> None:
        # Some indices would select from an unpacked copy, and the value be lost.
        raise RuntimeError("a SpikeTensor cannot be written; write into its .dense() instead")

    def numpy(self: Any, *, force: bool = False) -> Any:
        """The dense values as an array, a copy."""
        return self.dense().numpy(force=force)

    def tolist(self: Any) -> Any:
        """The dense values as nested lists."""
        return self.dense().tolist()

    def untyped_storage(self) -> torch.UntypedStorage:
        """A storage that nobody can read, by which torch tells tensors apart."""
        own = vars(self)
        if "_storage" not in own:
            own["_storage"] = torch.UntypedStorage(0, device="meta")
        return own["_storage"]  # type: ignore[no-any-return]

    def is_shared(self: Any) -> bool:
        """Whether the bits are in shared memory."""
        return bool(self.words.is_shared())
