"""Draw every surrogate: the derivative that replaces that of the firing step, and its primitive.

python examples/surrogates.py            writes docs/images/surrogates.png
python examples/surrogates.py --help     the options
"""

import argparse
from dataclasses import fields
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitspike import surrogate
from drawing import BLUE, GREY, ORANGE, figure, save

COLUMNS = 5
REACH = 2.0

FORMULAS = {
    "atan": r"$(α/2)\,/\,(1 + (παx/2)^2)$",
    "fast_sigmoid": r"$1\,/\,(1 + k|x|)^2$",
    "sigmoid": r"$k\,e^{-kx}\,/\,(1 + e^{-kx})^2$",
    "straight_through_estimator": r"$1$",
    "triangular": r"$θ$ if $x < 0$ else $-θ$",
    "spike_rate_escape": r"$k\,e^{-β|x - 1|}$",
    "heaviside": r"$1$ if $x > 0$ else $0$",
    "LSO": r"$1$ if $x > 0$ else $k$",
    "SFS": r"$1\,/\,(1 + k|x|)^2$ if $|x| < B$",
    "triangle": r"$\max(0,\,1 - |x|/w)\,/\,w$",
    "boxcar": r"$1\,/\,2w$ if $|x| < w$",
    "gaussian": r"$N(x;\,0,\,σ)$",
    "multi_gaussian": r"$(1{+}h)N(x;0,σ) - h\,N(x;±σ,sσ)$",
    "superspike": r"$1\,/\,(1 + α|x|)^2$",
    "tanh": r"$1 - \tanh^2(αx)$",
    "erfc": r"$(α/\sqrt{π})\,e^{-α^2x^2}$",
    "piecewise_quadratic": r"$\max(0,\,α - α^2|x|)$",
    "piecewise_exp": r"$(α/2)\,e^{-α|x|}$",
    "logistic": r"$k\,e^{-kx}\,/\,(1 + e^{-kx})^2$",
    "SSO": r"$1$ if $x > 0$ else noise",
}
SYMBOLS = {"alpha": "α", "beta": "β", "sigma": "σ", "slope": "k", "threshold": "θ", "width": "w"}


def main() -> None:
    """Draws the figure and writes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).parents[1]
    parser.add_argument("--out", type=Path, default=root / "docs" / "images" / "surrogates.png")
    parser.add_argument("--points", type=int, default=2001, help="per curve")
    options = parser.parse_args()
    torch.manual_seed(0)
    save(small_multiples(options.points), options.out)


def small_multiples(points: int) -> Figure:
    """One panel per surrogate with its defaults, all with the same axes."""
    rows = -(-len(FORMULAS) // COLUMNS)
    page = figure(2.9 * COLUMNS, 2.05 * rows + 0.7)
    axes = page.subplots(rows, COLUMNS, sharex=True, sharey=True)
    for ax, (name, formula) in zip(axes.flat, FORMULAS.items(), strict=True):
        panel(ax, name, formula, points)
    axes[0, 0].set_xlim(-REACH, REACH)
    axes[0, 0].set_ylim(-1.15, 1.15)
    axes[0, 0].set_yticks([-1, 0, 1])
    for ax in axes[-1]:
        ax.set_xlabel("x = membrane − threshold")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    page.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False, fontsize=11)
    return page


def panel(ax: Axes, name: str, formula: str, points: int) -> None:
    """The derivative relative to its peak, and the primitive scaled to the height of the step."""
    kind = getattr(surrogate, name)()
    # Dense around 0, where some are narrower than a pixel.
    x = REACH * torch.linspace(-1, 1, points, dtype=torch.float64) ** 3
    slope = kind.derivative(x)
    peak = slope.abs().max()
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.plot(x, (x > 0).double(), color=GREY, linewidth=1, linestyle=":", label="step")
    if hasattr(kind, "primitive"):
        smooth = kind.primitive(x)
        smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
        label = "primitive, scaled to the step"
        ax.plot(x, smooth, color=ORANGE, linewidth=1.2, label=label)
    ax.plot(x, slope / peak, color=BLUE, linewidth=1.8, label="derivative / its peak")
    ax.fill_between(x, slope / peak, color=BLUE, alpha=0.12, linewidth=0)
    ax.set_title(f"{name}\n", loc="left", fontsize=10.5, fontweight="bold")
    ax.text(0, 1.03, formula, transform=ax.transAxes, fontsize=10.5, va="bottom")
    note = "\n".join([*defaults(kind), f"peak {peak:.3g}"])
    ax.text(0.03, 0.05, note, transform=ax.transAxes, fontsize=9, color=GREY)
    ax.spines[["top", "right"]].set_visible(False)


def defaults(kind: surrogate.Surrogate) -> list[str]:
    """The numbers of a surrogate on one line, or no line if it has none."""
    values = {field.name: getattr(kind, field.name) for field in fields(kind)}
    numbers = [
        f"{SYMBOLS.get(name, name)} = {value:g}"
        for name, value in values.items()
        if not isinstance(value, bool)
    ]
    return [",  ".join(numbers)] if numbers else []


if __name__ == "__main__":
    main()
