"""Which methods a user has overridden that a kernel would replace."""

from __future__ import annotations

_REPLACED = (
    "step",
    "fire",
    "mem_reset",
    "level",
    "fire_inhibition",
    "equation",
    "_spike",
    "_quantised",
    "_set",
    "_fired",
    "_fire_and_reset",
    "_feedback",
)
"""Methods that kernels replace. (`coefficients` and `firing_threshold` are called for them.)"""

_PUBLIC = tuple(name for name in _REPLACED if not name.startswith("_"))

_LIBRARY = __name__.partition(".")[0]


def overridden_by_class(kind: type) -> str | None:
    """The first of these methods that a class outside the library defines for ``kind``."""
    for name in _REPLACED:
        for owner in kind.__mro__:
            if name in vars(owner):
                if owner.__module__.partition(".")[0] != _LIBRARY:
                    return name
                break
    return None


def overridden_by(neuron: object) -> str | None:
    """The first public one of these methods that was assigned to this object."""
    own = neuron.__dict__
    for name in _PUBLIC:
        if name in own:
            return name
    return None


def are_common(kind: type, base: type, names: tuple[str, ...]) -> bool:
    """Whether a class has these methods as its base has them."""
    return all(getattr(kind, name) is getattr(base, name) for name in names)
