"""Methods of a tensor that ask for the memory of its numbers, of which spikes have none."""

from __future__ import annotations

from typing import Any

import torch


class NoMemory:
    """Methods that read memory read an unpacked copy; those that would write raise."""

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
        """An empty storage, whose address torch uses to tell tensors apart."""
        own = vars(self)
        if "_storage" not in own:
            own["_storage"] = torch.UntypedStorage(0, device="meta")
        return own["_storage"]  # type: ignore[no-any-return]

    def is_shared(self: Any) -> bool:
        """Whether the bits are in shared memory."""
        return bool(self.words.is_shared())
