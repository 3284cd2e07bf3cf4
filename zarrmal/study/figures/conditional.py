"""Fig. 7: bits of each class's cells, over the rate at which they get the wrong model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..results.lookup import (
    error_rates,
    find_entropy,
    find_point,
    find_quantity,
    find_set,
    set_names,
)
from ..results.model_results import ModelResults, SetResults
from ..results.study_results import StudyResults
from .style import POINT_MARKS, QUIET, WIDTH, label_ends, mark_point, model_style, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)))


def draw(results: StudyResults) -> Figure | None:
    """One row per model, one column per set of cells."""
    from matplotlib.figure import Figure

    names = set_names(results)
    models = [m for m in results.models if any(find_entropy(m, s) for s in m.sets)]
    if not models:
        return None
    edge = results.rates[-1]
    figure = Figure(figsize=(WIDTH, 0.7 + 2.6 * len(models)), layout="constrained")
    grid = figure.subplots(len(models), len(names), squeeze=False, sharex=True, sharey="row")
    for row, model in zip(grid, models, strict=True):
        for axes, name in zip(row, names, strict=True):
            measured = find_set(model, name)
            if measured is not None:
                _curves(axes, results, model, measured)
            axes.set_title(f"{model.name}, {name}")
        what = "entropy" if model.profile == "paper" else "code length"
        row[0].set_ylabel(f"{what}, bits/pixel")
        row[0].margins(y=0.12)
        row[0].set_xlim(*percent((-0.02 * edge, 1.02 * edge)))
        for axes, name in zip(row, names, strict=True):
            measured = find_set(model, name)
            if measured is not None:
                _label_curves(axes, results, model, measured)
    for axes in grid[-1]:
        axes.set_xlabel("cells of the class under the other's model, %")
    _legend(figure, results)
    return figure


def _curves(axes: Axes, results: StudyResults, model: ModelResults, measured: SetResults) -> None:
    style, rates = model_style(results, model), percent(results.rates)
    quantity = find_entropy(model, measured)
    geometric = find_quantity(measured, "geometric_entropy")
    if quantity is None:
        return
    classifier = find_point(measured, "classifier")
    for i, curve in enumerate(quantity.expectation.classes):
        axes.plot(rates, curve, color=style.color, linestyle=DASHES[i % 2])
        axes.plot(
            rates,
            quantity.draw.classes[i],
            color=style.color,
            marker=style.marker,
            markevery=2,
            linestyle="none",
            markerfacecolor=style.color if i % 2 == 0 else "white",
        )
        if geometric is not None:
            axes.plot(rates, geometric.expectation.classes[i], color=QUIET, lw=1, ls=DASHES[i % 2])
        if classifier is not None:
            wrong = error_rates(classifier)[i]
            height, edge = line_at(results.rates, curve, wrong), results.rates[-1]
            if mark_point(axes, "classifier", wrong, height, edge, style.color):
                axes.annotate(
                    f"→ {100 * wrong:.0f} %",
                    (100 * edge, height),
                    xytext=(-9, 0),
                    textcoords="offset points",
                    fontsize=9,
                    color=style.color,
                    ha="right",
                    va="center",
                    bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"},
                    zorder=6,
                )


def line_at(rates: tuple[float, ...], line: tuple[float, ...], rate: float) -> float:
    """Value of a straight line over the rates, at any rate."""
    if len(rates) < 2:
        return line[0]
    return line[0] + (rate - rates[0]) * (line[-1] - line[0]) / (rates[-1] - rates[0])


def _label_curves(
    axes: Axes, results: StudyResults, model: ModelResults, measured: SetResults
) -> None:
    quantity = find_entropy(model, measured)
    if quantity is None:
        return
    color = model_style(results, model).color
    lines = quantity.expectation.classes
    ends = [(line[-1], name, color) for line, name in zip(lines, results.class_names, strict=True)]
    geometric = find_quantity(measured, "geometric_entropy")
    if geometric is not None:
        lines = geometric.expectation.classes
        ends += [(line[-1], "if geometric", QUIET) for line in lines]
    label_ends(axes, ends, gap=0.085)


def _legend(figure: Figure, results: StudyResults) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=QUIET, linestyle=DASHES[i % 2], label=f"{name}: by the channel")
        for i, name in enumerate(results.class_names)
    ]
    handles.append(
        Line2D([], [], color=QUIET, marker="o", linestyle="none", label="with cells drawn to err")
    )
    if results.classifier is not None:
        handles.append(
            Line2D(
                [],
                [],
                color="white",
                marker=POINT_MARKS["classifier"],
                markersize=13,
                markeredgecolor="black",
                linestyle="none",
                label="the real classifier",
            )
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9)
