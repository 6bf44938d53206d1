"""All that a learner keeps between steps, to save it and to go on from it."""

from __future__ import annotations

from typing import Any

from ._assembly import Assembly


def state_of(assembly: Assembly) -> dict[str, Any]:
    """Copies of states, traces and signals, beside the network's own ``state_dict``."""
    states = {
        layer.name: [x.clone() for x in neuron._kept()] for neuron, layer in assembly.layers.items()
    }
    traces = {
        layer.name: [
            {name: [x.clone() for x in trace] for name, trace in mechanism.trace.items()}
            for mechanism in layer.mechanisms
        ]
        for layer in assembly.layers.values()
    }
    return {
        "rule": assembly.rule.name,
        "states": states,
        "traces": traces,
        "signals": assembly.signals.state_dict(),
    }


def restore(assembly: Assembly, state_dict: dict[str, Any]) -> None:
    """Sets all to what `state_of` has returned.

    Raises:
        ValueError: if it is that of another rule or network; then nothing has changed.
    """
    names = {layer.name for layer in assembly.layers.values()}
    if state_dict["rule"] != assembly.rule.name or set(state_dict["states"]) != names:
        raise ValueError(
            f"the state dict is of {state_dict['rule']} and layers "
            f"{sorted(state_dict['states'])}, but this learner of {assembly.rule.name} and "
            f"{sorted(names)}"
        )
    assembly.signals.load_state_dict(state_dict["signals"])
    for neuron, layer in assembly.layers.items():
        states = tuple(x.clone() for x in state_dict["states"][layer.name])
        neuron._keep(None, states, detached=False)
        layer.loaded = state_dict["traces"][layer.name]
        layer.restore()
