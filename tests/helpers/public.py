"""The public names of the package, as a walk over its modules finds them."""

import importlib
import inspect
import pkgutil
import re

import bitspike

# Rooms of the house: `bitspike` itself, or a module of snnTorch's name, has what is public of them.
INTERNAL = {
    *("arguments", "checkpoint", "derivable", "monitors", "moved", "one_call", "ops"),
    *("reference_path", "run", "spikes", "state"),
}


def exports(module):
    """Names that a module imports for others to use, and those that it defines."""
    source = inspect.getsource(module)
    imported = re.findall(r"^from \S+ import (\w+) as \1$", source, re.M)
    defined = re.findall(r"^(?:class |def )?([a-zA-Z]\w*)(?:\(|:| =)", source, re.M)
    return {name for name in imported + defined if not name.startswith("_")} & set(vars(module))


def public_modules():
    found = [bitspike]
    for module in found:
        for _, name, _ in pkgutil.iter_modules(getattr(module, "__path__", [])):
            internal = module is bitspike and name in INTERNAL
            below = importlib.import_module(f"{module.__name__}.{name}")
            if name[0] != "_" and not internal and (module is bitspike or name in exports(module)):
                found.append(below)
    return found


def public_names():
    return {
        f"{module.__name__}.{name}": getattr(module, name)
        for module in public_modules()
        for name in exports(module)
    }


PUBLIC = public_names()
CALLABLE = {path: value for path, value in PUBLIC.items() if callable(value)}
