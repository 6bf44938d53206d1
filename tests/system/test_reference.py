"""The API reference has every public name, and what it says of one is complete."""

import dataclasses
import inspect
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from helpers.public import CALLABLE, PUBLIC

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built without a warning."""
    out = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--fail-on-warning", "-d", str(out / "doctrees")]
    result = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(DOCS), str(out / "html")],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return out / "html"


def look_up(path):
    """The value of a dotted name, or None if there is no such value."""
    module, _, name = path.rpartition(".")
    if module in sys.modules:
        return getattr(sys.modules[module], name, None)
    return getattr(look_up(module), name, None) if module else None


def test_every_public_name_is_in_the_reference(site):
    *_, compressed = (site / "objects.inv").read_bytes().split(b"\n", 4)
    entries = re.findall(r"^(bitspike\S*) py:", zlib.decompress(compressed).decode(), re.M)
    described = {(path.split(".")[-1], id(look_up(path))) for path in entries}
    missing = {
        path for path, value in PUBLIC.items() if (path.split(".")[-1], id(value)) not in described
    }
    assert not missing


def test_the_walk_finds_names():
    expected = {
        "bitspike.Leaky",
        "bitspike.functional",
        "bitspike.functional.loss.ce_rate_loss",
        "bitspike.surrogate.atan",
        "bitspike.unroll",
        "bitspike.utils.reset",
    }
    assert expected <= set(PUBLIC)
    assert "bitspike.utils.HiddenState" not in PUBLIC


def test_no_markup_is_left_over(site):
    for page in sorted((site / "reference").glob("*.html")):
        html = page.read_text(encoding="utf-8")
        assert "<h1>" in html, page.name
        assert "system-message" not in html and "problematic" not in html, page.name
        hidden = r"<(pre|code|script|style|head)\b.*?</\1>|<(div|span)[^>]*\bmath\b.*?</\2>|<[^>]*>"
        text = re.sub(hidden, " ", html, flags=re.S)
        assert not re.findall(r".*(?:`|:\w+:`|\.\. \w+::|\\[a-z]+\{).*", text), page.name


def test_every_docstring_has_a_summary():
    for path, value in CALLABLE.items():
        if inspect.isfunction(value) or inspect.isclass(value):
            summary = (value.__doc__ or "").split("\n\n")[0]
            assert summary.rstrip().endswith((".", ":", "?")), path


def test_every_docstring_has_an_example():
    """Bases of other classes leave it to those, those to it, and records to what returns them."""
    classes = {value for value in PUBLIC.values() if inspect.isclass(value)}
    bases = {base for kind in classes for base in kind.__mro__[1:]}
    for path, value in CALLABLE.items():
        shown = [kind for kind in value.__mro__ if kind in classes] if value in classes else [value]
        is_record = value in classes and (
            issubclass(value, tuple) or dataclasses.is_dataclass(value)
        )
        assert value in bases or is_record or any(">>>" in (x.__doc__ or "") for x in shown), path
