"""What the documentation shows runs, and prints what it says."""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import bitspike
from bitspike import surrogate
from helpers.program import assert_succeeds

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(bitspike.__path__, "bitspike.")
) + ["bitspike"]


def python_blocks(path):
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)


README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PAGES = [README, *sorted((ROOT / "docs").glob("**/*.md"))]
FOLDERS = [*sorted((ROOT / "python").glob("**/README.md")), ROOT / "tests" / "README.md"]


@pytest.mark.parametrize(
    "page",
    [page for page in [*PAGES, *FOLDERS] if python_blocks(page)],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_programs_on_pages(page):
    """Those of a page share a process; each has variables and, as alone, torch's first seed."""
    seed = torch.Generator().initial_seed()
    start = "import warnings, torch\nwarnings.simplefilter('error')\n"
    programs = f"for program in {python_blocks(page)!r}:\n"
    each = f"    torch.manual_seed({seed})\n    exec(program, {{'__name__': '__main__'}})"
    assert_succeeds(start + programs + each, timeout=240)


def test_pages_have_programs():
    shown = (page for page in PAGES if "{include}" not in page.read_text(encoding="utf-8"))
    assert all(python_blocks(page) for page in shown)


def test_readme_has_at_most_120_short_lines():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert not [line for line in lines if len(line) > 120 and line[0] != "|"]


def test_two_lines_of_a_snntorch_program_change():
    (block,) = (x for x in python_blocks(README) if "import snntorch" in x)
    theirs, changed = re.subn(r"(?m)^.*# was: (.*)$", r"\1", block)
    assert changed == 2
    spikes = []
    for program in (block, theirs):
        torch.manual_seed(0)
        variables = {"__name__": "program"}
        exec(program, variables)
        spikes.append(variables["spikes"] * 1)
    # One call over all steps may add in another order, and the last bit may decide a spike.
    assert (spikes[0] != spikes[1]).float().mean() < 1e-3 < spikes[1].mean()


def test_readme_shows_its_parts_in_order():
    text = README.read_text(encoding="utf-8")
    parts = (
        r"^# bitspike$",
        r"^!\[",
        r"^## Install$",
        r"^## Ten lines$",
        r"^## Coming from snnTorch$",
        r"^## What is promised$",
        r"^## Speed$",
        r"^## What it does not do$",
    )
    places = [[found.start() for found in re.finditer(part, text, re.M)] for part in parts]
    assert all(len(found) == 1 for found in places)
    assert places == sorted(places)
    assert len(times(text)) == 4


def times(text):
    """The rows of tables that begin with a time."""
    return re.findall(r"^\|[^|]+\| [\d.]+ [mµ]s \|.*\n", text, re.M)


def test_the_tables_of_times_are_those_of_the_records(tmp_path):
    (tmp_path / "docs").mkdir()
    pages = ("README.md", "docs/speed.md")
    texts = {page: (ROOT / page).read_text(encoding="utf-8") for page in pages}
    for page, text in texts.items():
        rows = times(text)
        assert rows
        (tmp_path / page).write_text(text.replace("".join(rows), ""), encoding="utf-8")
    writer = ROOT / "benches" / "python" / "pages.py"
    subprocess.run([sys.executable, str(writer), "--pages", str(tmp_path)], check=True)
    assert {page: (tmp_path / page).read_text(encoding="utf-8") for page in pages} == texts


def test_pages_link_to_files_that_exist():
    for page in [*PAGES, *FOLDERS]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_the_gallery_shows_every_picture_and_leads_to_its_page():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    shown = re.findall(r"\[!\[[^]]+\]\((images/\w+\.png)\)\]\(([\w/]+\.md)", index)
    there = {f"images/{path.name}" for path in (ROOT / "docs" / "images").glob("*.png")}
    assert sorted(image for image, _ in shown) == sorted(there - {"images/overview.png"})
    for image, page in shown:
        assert f"{image})" in (ROOT / "docs" / page).read_text(encoding="utf-8"), (image, page)


def test_readmes_of_folders_name_what_exists():
    for page in FOLDERS:
        named = re.findall(r"`([\w/]+(?:\.py|\.rs|/))`", page.read_text(encoding="utf-8"))
        for name in named:
            beside = (page.parent / name).exists() or (ROOT / name).exists()
            places = ("rust/*/src", "rust/*", "tests")
            inside = (path for place in places for path in ROOT.glob(f"{place}/**/{name}"))
            assert beside or any(inside), f"{page.relative_to(ROOT)}: {name}"


def test_what_is_not_provided_is_missing():
    page = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
    table = re.search(r"^## What is not provided$(.*?)^## ", page, re.M | re.S)[1]
    names = re.findall(r"`(snn|SF|utils)\.(\w+)`", "".join(re.findall(r"^\| .*? \|", table, re.M)))
    homes = {"snn": bitspike, "SF": bitspike.functional, "utils": bitspike.utils}
    assert names
    assert not [name for home, name in names if hasattr(homes[home], name)]


def factories():
    """The public names of surrogates, without classes and what wraps another."""
    made = {kind.__name__ for kind in subclasses(surrogate.Surrogate)} | {"Learnable", "Surrogate"}
    public = {name for name, value in vars(surrogate).items() if callable(value)}
    return public - made


def subclasses(kind):
    found = set(kind.__subclasses__())
    return found.union(*map(subclasses, found))


def test_every_surrogate_is_documented_with_its_defaults():
    page = (ROOT / "docs" / "surrogates.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)\(([^)]*)\)", page, re.M)
    assert {name for name, _ in rows} == factories()
    for name, arguments in rows:
        if name == "custom_surrogate":
            continue
        written = eval(f"dict({arguments})", {})
        kind, default = getattr(surrogate, name)(**written), getattr(surrogate, name)()
        assert (kind == default) != bool(written.get("normalized")), name


def test_every_surrogate_is_drawn():
    drawn = (ROOT / "examples" / "surrogates.py").read_text(encoding="utf-8")
    assert factories() - {"custom_surrogate"} == set(re.findall(r'^    "(\w+)": r"', drawn, re.M))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    names = {"torch": torch, "snn": bitspike}
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(module, extraglobs=names, optionflags=flags)
    assert not result.failed


def test_neurons_and_surrogates_show_an_example():
    finder = doctest.DocTestFinder(recurse=False)
    for kind in bitspike.neurons.ALL:
        assert any(test.examples for test in finder.find(kind)), kind


def test_the_walk_through_of_contributing_is_the_code():
    text = CONTRIBUTING.read_text(encoding="utf-8")
    sources = {
        "python": ROOT / "python/bitspike/neurons/cuba_lif.py",
        "rust": ROOT / "rust/core/src/neuron/cuba_lif.rs",
    }
    blocks = re.findall(r"```(python|rust)\n(.*?)```", text, re.S)
    assert [language for language, _ in blocks] == ["python", "rust"]
    for language, block in blocks:
        text_of = sources[language].read_text(encoding="utf-8")
        source = [line.strip() for line in text_of.split("\n")]
        lines = [line.strip() for line in block.strip().split("\n")]
        start = source.index(lines[0])
        assert source[start : start + len(lines)] == lines
    for path, lines in re.findall(r"`([\w/]+\.(?:py|rs))`, (\d+) lines[,:]", text):
        assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) == int(lines), path


def test_contributing_names_what_exists():
    """Paths from the root, or, in what is said of a room, from where its files are."""
    text = re.sub(r"^```.*?^```", "", CONTRIBUTING.read_text(encoding="utf-8"), flags=re.M | re.S)
    names = re.findall(r"`([\w.]+/[\w./]*|\w+\.(?:py|rs|md))`", text)
    assert len(names) > 40
    homes = [ROOT / home for home in ("", "python/bitspike", "rust/core/src", "rust/python/src")]
    homes += [ROOT / "rust/core/src/network", ROOT / "rust/core/tests/network"]
    missing = {name for name in names if not any((home / name).exists() for home in homes)}
    assert not missing


def section(title):
    """A section of CONTRIBUTING."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    return re.search(rf"^## {title}$(.*?)^## ", text, re.M | re.S)[1]


@pytest.mark.parametrize(
    ("title", "kinds"),
    [
        ("Adding a neuron", bitspike.neurons.ALL),
        ("Adding a surrogate", surrogate.ALL),
    ],
    ids=["neuron", "surrogate"],
)
def test_a_walk_through_names_every_file_with_a_list(title, kinds):
    """A file that names all neurons of the registry, but for one or two, is one to add to."""
    names = [(kind.__name__, kind.NAME, *aliases(kind)) for kind in kinds]
    walk = section(title)
    lists = {
        path.relative_to(ROOT).as_posix()
        for path in sources()
        if mentioned(path.read_text(encoding="utf-8"), names) >= len(kinds) - 2
    }
    assert len(lists) >= 5
    assert not {path for path in lists if f"`{path}`" not in walk}


def aliases(kind):
    """Other names of a surrogate, such as `LSO`."""
    return [name for name, value in vars(surrogate).items() if value is kind]


def mentioned(text, names):
    """How many of these are in a text, each by any of its names."""
    return sum(bool(re.search(rf"\b({'|'.join(each)})\b", text, re.I)) for each in names)


def sources():
    """What is written by hand; records are not."""
    for folder, kind in (("python", "py"), ("rust", "rs"), ("tests", "py"), ("docs", "md")):
        yield from (ROOT / folder).glob(f"**/*.{kind}")
    for folder in ("examples", "benches/python"):
        yield from (ROOT / folder).glob("*.py")
    yield from ROOT.glob("*.md")
