"""The examples run, and draw the pictures that the documentation shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from programs import unix

from helpers.program import assert_succeeds, torchrun

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "images"
PAGE = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")


def run_example(name, *options, folder):
    """Runs it in a folder of its own, and returns the names of the pictures that it drew there."""
    result = subprocess.run(
        [sys.executable, str(ROOT / "examples" / f"{name}.py"), *options],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "agg"},
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    pictures = sorted(folder.glob("**/*.png"))
    assert all(picture.read_bytes()[:4] == b"\x89PNG" for picture in pictures)
    return {picture.stem for picture in pictures}


# Each tells one section of docs/examples.md with one picture.
PROGRAMS = sorted(re.findall(r"^`examples/(\w+)\.py`", PAGE, re.M))


def test_the_page_shows_every_program():
    helpers = {"camera", "codes", "course_networks", "drawing", "encoded_digits", "plots"}
    helpers |= {"gesture_plots", "store_recall", "training"}
    shown_elsewhere = {"course", "mnist", "neurons", "overview", "speed", "surrogates", "tricks"}
    shown_elsewhere |= {"distributed", "with_lightning"}
    there = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert there - helpers - shown_elsewhere == set(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name, tmp_path):
    assert run_example(name, "--short", folder=tmp_path) == {name}
    assert (PICTURES / f"{name}.png").exists()


def test_mnist(tmp_path):
    short = ["--epochs", "1", "--limit", "300", "--rounds", "1"]
    assert run_example("mnist", *short, folder=tmp_path)


def test_overview(tmp_path):
    drawn = run_example("overview", "--short", "--out", str(tmp_path), folder=tmp_path)
    assert drawn == {"overview"}
    assert (PICTURES / "overview.png").exists()


def test_speed(tmp_path):
    drawn = run_example("speed", "--out", str(tmp_path), folder=tmp_path)
    assert drawn == {"speed_networks", "speed_density", "speed_sizes", "speed_threads"}
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    assert drawn == set(re.findall(r"images/(speed_\w+)\.png", page))
    assert drawn <= {picture.stem for picture in PICTURES.glob("*.png")}


def test_course(tmp_path):
    drawn = run_example("course", "--out", str(tmp_path), folder=tmp_path)
    pages = [ROOT / "docs" / "five_minutes.md", *(ROOT / "docs" / "course").glob("*.md")]
    shown = [re.findall(r"images/(\w+)\.png", page.read_text(encoding="utf-8")) for page in pages]
    assert all(len(pictures) == 1 for pictures in shown)
    assert drawn == {picture for (picture,) in shown}
    assert drawn <= {picture.stem for picture in PICTURES.glob("*.png")}


def test_neurons(tmp_path):
    drawn = run_example("neurons", "--short", folder=tmp_path)
    assert drawn == {"adaptive", "adex", "hodgkin_huxley", "izhikevich"}
    assert drawn <= {picture.stem for picture in PICTURES.glob("*.png")}


def test_surrogates(tmp_path):
    drawn = run_example("surrogates", "--points", "51", "--out", "surrogates.png", folder=tmp_path)
    assert drawn == {"surrogates"}


def test_tricks(tmp_path):
    assert not run_example("tricks", "--short", folder=tmp_path)


@unix
def test_distributed(tmp_path):
    program = ROOT / "examples" / "distributed.py"
    printed = torchrun(program, "--check", folder=tmp_path)
    assert re.findall(r"(\w+) differ by .* from those of one process", printed) == [
        "gradients",
        "weights",
    ]


def test_with_lightning(tmp_path):
    runs = {
        "straight": ["--epochs", "2"],
        "stopped": ["--epochs", "1"],
        "resumed": ["--epochs", "2", "--resume", str(tmp_path / "stopped" / "last.ckpt")],
        "bf16": ["--epochs", "2", "--precision", "bf16-mixed"],
    }
    printed = assert_succeeds(
        f"""
        import sys
        sys.path.insert(0, {str(ROOT / "examples")!r})
        import with_lightning
        for name, options in {runs!r}.items():
            sys.argv = ["with_lightning.py", *options, "--out", {str(tmp_path)!r} + "/" + name]
            with_lightning.main()
        """,
        timeout=120,
    )
    found = [float(share) for share in re.findall(r"epochs: (\S+)% of the test", printed)]
    assert len(found) == 4 and min(found) > 70
    saved = {name: torch.load(tmp_path / name / "last.ckpt", weights_only=True) for name in runs}
    straight, stopped, resumed, half = (run["state_dict"] for run in saved.values())
    learned = [name for name in straight if name.endswith(("weight", "bias"))]
    assert len(learned) == 4
    for name in straight:
        assert torch.equal(straight[name], resumed[name])
    for name in learned:
        assert straight[name].dtype == half[name].dtype == torch.float32
        assert not torch.equal(straight[name], stopped[name])
        assert not torch.equal(straight[name], half[name])
    for one, other in zip(
        *(saved[name]["optimizer_states"][0]["state"].values() for name in ("straight", "resumed")),
        strict=True,
    ):
        assert all(torch.equal(one[key], other[key]) for key in one)
