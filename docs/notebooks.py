"""The pages of the course as notebooks, which open in Jupyter.

As a Sphinx extension it writes them beside the pages of the site, and puts a link on each; as a
program (``make notebooks``) it writes them into a folder::

    python docs/notebooks.py --out notebooks
"""

from __future__ import annotations

import argparse
import base64
import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat

from reference_pages import DOCS, with_links

PAGES = ("five_minutes", *sorted(f"course/{page.stem}" for page in DOCS.glob("course/*.md")))
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def notebook(page: str) -> nbformat.NotebookNode:
    """A page as a notebook: each program is a cell, and pictures are inside of it.

    Args:
        page: The path of the page in docs/, without ``.md``.
    """
    path = DOCS / f"{page}.md"
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^```math\n(.*?)^```", r"$$\n\1$$", text, flags=re.M | re.S)
    text = re.sub(r"^```sh\n(.*?)^```", in_words, text, flags=re.M | re.S)
    text = re.sub(r"\[([^]]*)\]\(#bitspike[^)]*\)", r"\1", text)
    made = jupytext.reads(text, fmt="md")
    made.metadata = nbformat.from_dict({"kernelspec": KERNEL})
    for cell in made.cells:
        if cell.cell_type == "markdown":
            with_pictures(cell, path)
            cell.source = with_links(cell.source, path, None)
    return made


def in_words(command: re.Match[str]) -> str:
    """A command of a shell, indented: it is not to run with the cells."""
    return "".join(f"    {line}\n" for line in command[1].splitlines())


def with_pictures(cell: nbformat.NotebookNode, path: Path) -> None:
    """Puts the pictures that a cell shows into it."""
    for target in re.findall(r"\]\(((?:\.\./)?images/[\w]+\.png)\)", cell.source):
        picture = path.parent / target
        data = base64.b64encode(picture.read_bytes()).decode()
        cell.setdefault("attachments", {})[picture.name] = {"image/png": data}
        cell.source = cell.source.replace(f"]({target})", f"](attachment:{picture.name})")


def write(folder: Path) -> None:
    """Writes all notebooks."""
    folder.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        nbformat.write(notebook(page), folder / f"{Path(page).name}.ipynb")


def add_link(app: Any, page: str, source: list[str]) -> None:
    """Puts a link to its notebook below the title of a page that has one."""
    if page in PAGES:
        name = Path(page).name
        up = "../" * page.count("/")
        link = f'<a href="{up}notebooks/{name}.ipynb" download>This page as a notebook</a>'
        title, _, rest = source[0].partition("\n")
        source[0] = f"{title}\n\n{link}\n{rest}"


def write_beside(app: Any, error: Exception | None) -> None:
    """Writes them where Sphinx has written the site."""
    if error is None and app.builder.format == "html":
        write(Path(app.outdir) / "notebooks")


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", add_link)
    app.connect("build-finished", write_beside)
    return {"parallel_read_safe": True}


def main() -> None:
    """Writes them into a folder."""
    parser = argparse.ArgumentParser(prog="docs/notebooks.py", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("notebooks"), help="folder of notebooks")
    write(parser.parse_args().out)


if __name__ == "__main__":
    main()
