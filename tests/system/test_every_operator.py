"""Every operator × every kind of tensor, and what does not fit: right, or an exception."""

from pathlib import Path

import torch
from uses_of_operators import CALLS, tensors

from helpers.program import assert_succeeds


def test_operators_take_or_refuse_everything():
    """In a process of its own, which may crash without taking the tests along."""
    assert_succeeds(
        f"""
        import sys, warnings
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        warnings.simplefilter("ignore")  # Some kinds are prototypes.
        from uses_of_operators import faults
        found = list(faults())
        assert not found, "\\n".join(map(str, found))
        """,
        timeout=300,
    )


def test_every_operator_is_called_with_every_tensor():
    registered = {name for name in torch._C._dispatch_get_all_op_names() if "bitspike::" in name}
    assert registered == {f"bitspike::{name}" for name in CALLS}
    for name, calls in CALLS.items():
        schema = getattr(torch.ops.bitspike, name).default._schema
        wanted = {x.name for x in schema.arguments if "Tensor" in str(x.type)}
        assert wanted == {name for arguments in calls for name, *_ in tensors(arguments)}
