"""Fig. 10: bit rates over the misclassification rate, beside coders without classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..results.lookup import (
    WRITTEN,
    best_rivals,
    error_rate,
    find_model,
    find_quantity,
    find_set,
    set_names,
)
from ..results.model_results import ModelResults
from ..results.study_results import StudyResults
from .style import (
    POINT_MARKS,
    POINT_NAMES,
    QUIET,
    WIDTH,
    label_ends,
    mark_point,
    model_style,
    percent,
    rival_style,
    separate_labels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEAR = 0.3
"""Bits per pixel: an enlarged panel leaves out a rival farther away, which flattens the curve."""


def draw(results: StudyResults) -> Figure | None:
    """One column per set of cells: all coders, then an enlarged panel for each profile."""
    from matplotlib.figure import Figure

    names = set_names(results)
    if not names:
        return None
    models = [find_model(results, profile) for profile in ("hybrid", "paper")]
    enlarged = [model for model in models if model is not None]
    figure = Figure(figsize=(WIDTH, 4.2 + 3.1 * len(enlarged)), layout="constrained")
    grid = figure.subplots(
        1 + len(enlarged),
        len(names),
        squeeze=False,
        sharex=True,
        height_ratios=(1.25, *(1.0 for _ in enlarged)),
    )
    for column, name in enumerate(names):
        for k, axes in enumerate(grid[:, column]):
            _panel(axes, results, name)
            axes.set_title(name if k == 0 else f"{name}: around {enlarged[k - 1].name}")
            axes.set_xlim(*percent((-0.03 * results.rates[-1], 1.03 * results.rates[-1])))
            if k > 0 and _has_rates(enlarged[k - 1], name):
                axes.set_ylim(*_window(results, enlarged[k - 1], name))
                _label_points(axes, results, enlarged[k - 1], name)
            elif k == 0:
                axes.margins(y=0.06)
        grid[-1, column].set_xlabel("cells under the other class's model, %")
    low, high = zip(*(axes.get_ylim() for axes in grid[0]), strict=True)
    for axes in grid[0]:
        axes.set_ylim(min(low), max(high))
    for row in grid:
        row[0].set_ylabel("bits/pixel, latents counted")
        for k, name in enumerate(names):
            _label_curves(row[k], results, name)
    _legend(figure, results)
    return figure


def _window(results: StudyResults, model: ModelResults, name: str) -> tuple[float, float]:
    """Range that holds a model's curves and points, and the nearest rival."""
    measured = model.on(name)
    quantity = measured.quantity(WRITTEN)
    shown = [*quantity.expectation.overall, *quantity.draw.overall]
    shown += [point.bits_per_pixel for point in measured.points]
    if model.profile == "paper":
        shown += measured.pooled
    rivals = [rival.bits_per_pixel for rival in best_rivals(results, name)]
    nearest = min(rivals, key=lambda bits: abs(bits - shown[0]), default=shown[0])
    if abs(nearest - shown[0]) <= NEAR:
        shown.append(nearest)
    room = max(0.14 * (max(shown) - min(shown)), 0.002)
    return min(shown) - room, max(shown) + room


def _label_points(axes: Axes, results: StudyResults, model: ModelResults, name: str) -> None:
    """Name the points. Points beyond the axis are drawn at its edge, with their rate."""
    edge, (low, high) = results.rates[-1], axes.get_ylim()
    color, beyond = model_style(results, model).color, []
    titles: dict[tuple[float, float], list[str]] = {}  # points may coincide
    for point in model.on(name).points:
        rate, title = error_rate(results, point), POINT_NAMES.get(point.name, point.name)
        if rate > edge:
            beyond.append((point.bits_per_pixel, f"{title} → {100 * rate:.0f} %"))
        else:
            titles.setdefault((rate, point.bits_per_pixel), []).append(title)
    for (rate, bits), names in titles.items():
        right = rate > 0.7 * edge
        axes.annotate(
            " = ".join(names),
            (100 * rate, bits),
            xytext=(0, -11) if right else (6, -9),
            textcoords="offset points",
            fontsize=8.5,
            color=color,
            ha="center" if right else "left",
            va="top",
        )
    shares = [(height - low) / (high - low) for height, _ in beyond]
    for height, (_, text) in zip(separate_labels(shares, 0.08), beyond, strict=True):
        axes.text(
            0.93,
            height,
            text,
            transform=axes.transAxes,
            fontsize=8.5,
            color=color,
            ha="right",
            va="center",
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"},
            zorder=6,
        )


def _panel(axes: Axes, results: StudyResults, name: str) -> None:
    rates = percent(results.rates)
    for rival in best_rivals(results, name):
        style = rival_style(rival.family)
        axes.axhline(rival.bits_per_pixel, color=style.color, linestyle=style.dashes, linewidth=1.3)
    for model in results.models:
        measured = find_set(model, name)
        quantity = None if measured is None else find_quantity(measured, WRITTEN)
        if measured is None or quantity is None:
            continue
        style = model_style(results, model)
        axes.plot(rates, quantity.expectation.overall, color=style.color)
        axes.plot(
            rates,
            quantity.draw.overall,
            color=style.color,
            marker=style.marker,
            linestyle="none",
            markersize=3.5,
        )
        if model.profile == "paper":
            axes.plot(rates, measured.pooled, color=style.color, linewidth=1, linestyle=(0, (1, 1)))
        for point in measured.points:
            rate, height = error_rate(results, point), point.bits_per_pixel
            mark_point(axes, point.name, rate, height, results.rates[-1], style.color)


def _label_curves(axes: Axes, results: StudyResults, name: str) -> None:
    low, high = axes.get_ylim()
    ends = [
        (r.bits_per_pixel, f"{r.family} {r.bits_per_pixel:.2f}", rival_style(r.family).color)
        for r in best_rivals(results, name)
    ]
    ends += [
        _curve_end(results, model, name) for model in results.models if _has_rates(model, name)
    ]
    label_ends(axes, [end for end in ends if low <= end[0] <= high])


def _has_rates(model: ModelResults, name: str) -> bool:
    measured = find_set(model, name)
    return measured is not None and find_quantity(measured, WRITTEN) is not None


def _curve_end(results: StudyResults, model: ModelResults, name: str) -> tuple[float, str, str]:
    last = model.on(name).quantity(WRITTEN).expectation.overall[-1]
    return last, f"{model.name} {last:.2f}", model_style(results, model).color


def _legend(figure: Figure, results: StudyResults) -> None:
    from matplotlib.lines import Line2D

    points = {p.name for model in results.models for s in model.sets for p in s.points}
    handles = [
        Line2D([], [], color=QUIET, label="by the channel"),
        Line2D([], [], color=QUIET, marker="o", linestyle="none", label="cells drawn to err"),
    ]
    if any(model.profile == "paper" for model in results.models):
        handles.append(
            Line2D([], [], color=QUIET, lw=1, ls=(0, (1, 1)), label="one Rice parameter a class")
        )
    for name in [name for name in POINT_NAMES if name in points]:
        handles.append(
            Line2D(
                [],
                [],
                marker=POINT_MARKS[name],
                markersize=9,
                color="white",
                markeredgecolor="black",
                linestyle="none",
                label=POINT_NAMES[name],
            )
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)
