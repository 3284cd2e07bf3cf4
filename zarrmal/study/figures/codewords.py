"""Fig. 9: lengths of the Rice codewords as written, and as the closed form predicts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..results.lookup import find_model, find_quantity, find_set, set_names
from ..results.model_results import SetResults
from ..results.study_results import StudyResults
from .style import QUIET, WIDTH, label_ends, model_style, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES = (
    ("written_acwl", "as written", "-", None),
    ("predicted_acwl", "predicted", (0, (5, 1.5)), "black"),
    ("entropy", "entropy", (0, (1, 1.2)), QUIET),
)
"""Quantity, label, dashes, colour (None: the model's)."""

MARKS = (("o", True), ("D", False), ("|", True))
"""Marker of each of these quantities, and whether it is filled."""


def draw(results: StudyResults) -> Figure | None:
    """One column per set: lengths over the rate above, those of each residue source below."""
    from matplotlib.figure import Figure

    model = find_model(results, "paper")
    if model is None or not any(find_quantity(set_, "written_acwl") for set_ in model.sets):
        return None
    names = [name for name in set_names(results) if find_set(model, name) is not None]
    color, marker = model_style(results, model).color, model_style(results, model).marker
    figure = Figure(figsize=(WIDTH, 6.2), layout="constrained")
    grid = figure.subplots(2, len(names), squeeze=False, sharey="row", height_ratios=(1.3, 1))
    for column, name in enumerate(names):
        measured = model.on(name)
        _curves(grid[0, column], results, measured, color, marker)
        grid[0, column].set_title(name)
        if measured.sources:
            _sources(grid[1, column], results, measured, color)
    grid[0, 0].margins(y=0.1)
    for column, name in enumerate(names):
        quantities = [(find_quantity(model.on(name), key), key) for key, *_ in LINES]
        shown = {key: (title, tone) for key, title, _, tone in LINES}
        label_ends(
            grid[0, column],
            [
                (quantity.expectation.overall[-1], shown[key][0], shown[key][1] or color)
                for quantity, key in quantities
                if quantity is not None
            ],
            gap=0.075,
        )
    grid[0, 0].set_ylabel("codeword length, bits/pixel")
    handles, labels = grid[1, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    return figure


def _curves(
    axes: Axes, results: StudyResults, measured: SetResults, color: str, marker: str
) -> None:
    rates = percent(results.rates)
    for key, _, dashes, tone in LINES:
        quantity = find_quantity(measured, key)
        if quantity is not None:
            line = quantity.expectation.overall
            axes.plot(rates, line, color=tone or color, linestyle=dashes)
            if key == "written_acwl":
                axes.plot(
                    rates, quantity.draw.overall, color=color, marker=marker, linestyle="none"
                )
    axes.set_xlim(0, rates[-1])
    axes.set_xlabel("cells under the other class's model, %")


def _sources(axes: Axes, results: StudyResults, measured: SetResults, color: str) -> None:
    """One line per residue source, with a mark for each of its lengths."""
    names = results.class_names
    for k, source in enumerate(measured.sources):
        lengths = (source.written_acwl, source.predicted_acwl, source.entropy)
        axes.plot([min(lengths), max(lengths)], [k, k], color="#bbbbbb", linewidth=3, zorder=1)
        for (_, title, _, tone), length, (mark, fill) in zip(LINES, lengths, MARKS, strict=True):
            axes.plot(
                [length],
                [k],
                marker=mark,
                markersize=8,
                linestyle="none",
                color=tone or color,
                markerfacecolor=(tone or color) if fill else "none",
                markeredgewidth=1.6,
                label=title if k == 0 else None,
            )
        axes.text(
            1.02,
            k,
            f"s = {source.rice_parameter}",
            transform=axes.get_yaxis_transform(),
            fontsize=9,
            color=QUIET,
            va="center",
        )
    axes.set_yticks(
        range(len(measured.sources)),
        [f"{names[s.true_class]}\nunder {names[s.model_class]}" for s in measured.sources],
        fontsize=9,
    )
    axes.set_ylim(len(measured.sources) - 0.5, -0.5)
    axes.margins(x=0.08)
    axes.set_xlabel("codeword length, bits/pixel")
