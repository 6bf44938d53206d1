"""Small programs with a loop over time, each of which does one thing differently."""

from . import layers, loops, states
from .program import Program

PROGRAMS = {
    kind.__name__: kind
    for module in (loops, states, layers)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Program) and kind is not Program
}
