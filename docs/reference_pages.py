"""A Sphinx extension that writes the pages of the API reference, from the package itself.

A name is public if it is reached from ``bitspike`` without an underscore, where every module on the
way defines it or imports it in the form ``from x import y as y``. Each public module has a page; so
has a file that defines more than the function that it is named after. Each public name has one
entry: on the page of the innermost module that has it, and under the shortest of its names. So
`bitspike.Leaky` is on the page of `bitspike.neurons`.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from sphinx.pycode import ModuleAnalyzer

import bitspike

DOCS = Path(__file__).resolve().parent
PAGES = DOCS / "reference"
REPOSITORY = "https://github.com/bitspike/bitspike/tree/main"


class Entry(NamedTuple):
    """A public name."""

    module: str
    name: str
    page: str
    value: Any


def exports(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """What a module offers, in the order of its source."""
    for node in ast.parse(inspect.getsource(module)).body:
        names: list[str | None] = []
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.asname for alias in node.names if alias.asname == alias.name]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        yield from ((name, getattr(module, name)) for name in names if name and name[0] != "_")


def below(module: ModuleType) -> Iterator[ModuleType]:
    """The public modules in a package."""
    for name, value in exports(module):
        file = sys.modules.get(f"{module.__name__}.{name}")
        if file is not None and (value is file or len(dict(exports(file))) > 1):
            yield file


def modules(root: ModuleType = bitspike) -> Iterator[ModuleType]:
    """All public modules."""
    yield root
    for module in below(root):
        yield from modules(module)


@cache
def entries() -> tuple[Entry, ...]:
    """All public names, except those of modules."""
    homes: dict[tuple[str, int], list[str]] = {}
    for module in modules():
        for name, value in exports(module):
            if not inspect.ismodule(value):
                homes.setdefault((name, id(value)), []).append(module.__name__)
    found = []
    for (name, _), names in homes.items():
        shortest, innermost = (choose(names, key=lambda x: x.count(".")) for choose in (min, max))
        found.append(Entry(shortest, name, innermost, getattr(sys.modules[shortest], name)))
    return tuple(found)


def page(module: ModuleType, found: tuple[Entry, ...]) -> str:
    """The page of a module: what it is for, what it has in a table, and each of its names."""
    name = module.__name__
    title = "API reference" if module is bitspike else name
    public = {entry.value for entry in found if inspect.isclass(entry.value)}
    own = [entry for entry in found if entry.page == name]
    # Where a function has the name of its file, the name leads to the function.
    shadowed = any(f"{entry.module}.{entry.name}" == name for entry in own)
    parts = [f"{title}\n{'=' * len(title)}"]
    parts.append(f".. automodule:: {name}" + ("\n   :no-index:" if shadowed else ""))
    inner = [part.__name__ for part in below(module)]
    if inner:
        parts.append("\n   ".join([".. toctree::", ":hidden:", "", *inner]))
    for summary in (inner, [f"{entry.module}.{entry.name}" for entry in own]):
        lines = [f"~{path}".removeprefix(f"~{name}.") for path in summary]
        if lines:
            parts.append("\n   ".join([".. autosummary::", ":nosignatures:", "", *lines]))
    parts += [directive(entry, public) for entry in own]
    return "\n\n".join(parts) + "\n"


def directive(entry: Entry, public: set[type]) -> str:
    """What makes autodoc describe a name."""
    target = f"{entry.module}::{entry.name}"
    if inspect.isclass(entry.value):
        members = ", ".join(members_of(entry.value, public))
        return f".. autoclass:: {target}" + (f"\n   :members: {members}" if members else "")
    if inspect.isroutine(entry.value):
        return f".. autofunction:: {target}"
    return f".. autodata:: {target}\n   :no-value:"


def members_of(kind: type, public: set[type]) -> list[str]:
    """The members that a class documents, or a base does that has no entry of its own."""
    found: dict[str, None] = {}
    for base in kind.__mro__:
        if base is not kind and (base in public or not base.__module__.startswith("bitspike")):
            break
        documented = ModuleAnalyzer.for_module(base.__module__).find_attr_docs()
        attributes = [name for of, name in documented if of == base.__qualname__]
        methods = [name for name, value in vars(base).items() if is_documented(value)]
        found |= dict.fromkeys(name for name in [*attributes, *methods] if name[0] != "_")
    return list(found)


def is_documented(member: Any) -> bool:
    """Whether a member of a class is something to call or to read with a docstring of its own."""
    method = isinstance(member, property | classmethod | staticmethod) or callable(member)
    return method and bool(member.__doc__)


def write_pages(app: Any) -> None:
    """Writes the pages that are new or have changed, and removes those of other versions."""
    found = entries()
    pages = {f"{module.__name__}.rst": page(module, found) for module in modules()}
    PAGES.mkdir(exist_ok=True)
    for old in PAGES.glob("*.rst"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        path = PAGES / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def add_types(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Puts the types of arguments, as the source has them, beside what a docstring says of them.

    Sphinx itself takes those of attributes of the same name for the types of a constructor.
    """
    if not callable(value):
        return
    made = "__init__" if "__init__" in vars(value) else "__new__"
    signature = inspect.signature(getattr(value, made) if inspect.isclass(value) else value)
    for i, line in reversed(list(enumerate(lines))):
        field = re.match(r":param (\w+):", line)
        parameter = field and signature.parameters.get(field[1])
        if parameter and isinstance(parameter.annotation, str):
            if parameter.kind is not parameter.VAR_KEYWORD:
                lines.insert(i, f":type {parameter.name}: {parameter.annotation}")
        elif line.startswith(":returns:") and isinstance(signature.return_annotation, str):
            lines.insert(i, f":rtype: {signature.return_annotation}")


def join_colons(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Puts what an attribute is together again, where napoleon took it for ``type: meaning``."""
    for i, line in enumerate(lines):
        if what in ("attribute", "data", "property") and line.startswith(":type: "):
            lines[0] = f"{line.removeprefix(':type: ')}: {lines[0]}"
            del lines[i]
            return


def find_name(app: Any, env: Any, node: Any, content: Any) -> Any:
    """What a docstring refers to by a name without its module, if only one public name is that."""
    target = node["reftarget"]
    found = {f"{e.module}.{e.name}" for e in entries() if e.name == target}
    if node.get("refdomain") != "py" or len(found) != 1:
        return None
    python = env.get_domain("py")
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", found.pop(), node, content)


def read_page(app: Any, page: str, source: list[str]) -> None:
    """A page of its own, whose links to files outside of docs/ lead to the repository."""
    source[0] = with_links(source[0], DOCS / page, page)


def read_included(app: Any, path: Any, page: str, source: list[str]) -> None:
    """A file of the repository that a page includes: links that it has are relative to it."""
    source[0] = with_links(source[0], DOCS / path, page)


def with_links(text: str, file: Path, page: str | None) -> str:
    """Markdown of a file with links that hold on a page of the site, or on none: elsewhere."""

    def link(match: re.Match[str]) -> str:
        target = (file.parent / match[1]).resolve()
        if not target.exists():
            return match[0]
        if page is not None and target.is_relative_to(DOCS):
            return f"]({os.path.relpath(target, (DOCS / page).parent)}{match[2] or ''})"
        return f"]({REPOSITORY}/{target.relative_to(DOCS.parent).as_posix()}{match[2] or ''})"

    return re.sub(r"\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)", link, text)


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("source-read", read_page)
    app.connect("include-read", read_included)
    app.connect("missing-reference", find_name)
    app.connect("autodoc-process-docstring", add_types, priority=900)  # after napoleon
    app.connect("autodoc-process-docstring", join_colons, priority=900)
    return {"parallel_read_safe": True}
