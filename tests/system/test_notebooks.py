"""The pages of the course are notebooks too, whose cells are the page's programs, and run."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from helpers.program import assert_succeeds

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {path.stem: path for path in (DOCS / "five_minutes.md", *DOCS.glob("course/*.md"))}


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    program = [sys.executable, str(DOCS / "notebooks.py"), "--out", str(folder)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.stem: nbformat.read(path, as_version=4) for path in folder.glob("*.ipynb")}


def cells(notebook, kind):
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def test_each_page_is_one(notebooks):
    assert set(notebooks) == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_notebook_is_its_page(name, notebooks):
    notebook, page = notebooks[name], PAGES[name].read_text(encoding="utf-8")
    nbformat.validate(notebook)
    programs = re.findall(r"^```python\n(.*?)\n```", page, re.M | re.S)
    assert [cell.source for cell in cells(notebook, "code")] == programs
    assert notebook.metadata.kernelspec.name == "python3"

    told = cells(notebook, "markdown")
    assert told[0].source.startswith(page.partition("\n")[0])
    text = "\n".join(cell.source for cell in told)
    assert "```" not in text and "#bitspike" not in text
    assert text.count("$$") == 2 * page.count("```math")
    pictures = re.findall(r"\((?:\.\./)?images/(\w+\.png)\)", page)
    assert re.findall(r"\(attachment:(\w+\.png)\)", text) == pictures
    assert [name for cell in told for name in cell.get("attachments", {})] == pictures
    # What is not a picture leads to the web, where the file is.
    targets = re.findall(r"\]\((?!attachment:)([^)]+)\)", text)
    assert all(target.startswith("https://") for target in targets), targets


def test_notebooks_run_from_top_to_bottom(notebooks, tmp_path):
    """Unlike on the page, programs see what those above have left."""
    programs = [[cell.source for cell in cells(book, "code")] for book in notebooks.values()]
    assert_succeeds(
        f"""
        import os, warnings
        warnings.simplefilter("error")
        os.chdir({str(tmp_path)!r})
        for programs in {programs!r}:
            variables = {{"__name__": "__main__"}}
            for program in programs:
                exec(program, variables)
        """,
        timeout=240,
    )
