"""Results as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from ..archive import ArchiveInfo
from ..classify import ClassifierReport
from ..classify.assignment import UNTOLD
from .terminal.console import out
from .terminal.printable import plain

if TYPE_CHECKING:
    from ..learn import HybridResult, TrainResult


MAX_CAMERAS = 4
"""Shown; --json lists all."""


def sizes_table(result: HybridResult) -> Table:
    """Which autoencoder pays for its bytes, by total description length."""
    trials = result.report.trials
    table = Table(title=f"total description length for {trials[0].n_cells:,} cells (short trials)")
    for name in ("autoencoder", "bits/pixel", "model bytes", "total bytes"):
        table.add_column(name, justify="left" if name == "autoencoder" else "right")
    for trial in trials:
        table.add_row(
            trial.size + (" *" if trial.size == result.report.sae else ""),
            f"{trial.bits_per_pixel:.4f}",
            f"{trial.model_bytes:,}",
            f"{trial.total_bytes:,}",
        )
    table.caption = "* chosen"
    return table


def hybrid_table(result: HybridResult) -> Table:
    """How hybrid training ended."""
    report = result.report
    table = Table(title="bits per pixel of kept-out slides, latents counted, model not")
    for name in ("effort", "cells", "kept out", "steps", "float", "int8", "cost", "seconds"):
        table.add_column(name, justify="left" if name == "effort" else "right")
    table.add_row(
        report.effort,
        f"{report.n_training:,}",
        f"{report.n_validation:,}" if report.n_validation else "–",
        f"{report.n_steps:,}",
        f"{report.float_bits:.4f}",
        f"{report.int8_bits:.4f}",
        f"{report.quantisation_cost:+.2%}",
        f"{report.seconds:.0f}",
    )
    return table


def training_table(result: TrainResult) -> Table:
    """How the training of each class ended."""
    table = Table(title="bits per pixel value, latents counted, model not")
    for name in ("class", "cells", "training", "kept out", "float", "int8", "cost", "seconds"):
        table.add_column(name, justify="left" if name == "class" else "right")
    for report in result.reports:
        table.add_row(
            report.name,
            f"{report.n_training:,}",
            f"{report.training_bits:.3f}",
            f"{report.validation_bits:.3f}" if report.n_validation else "–",
            f"{report.float_bits:.3f}",
            f"{report.int8_bits:.3f}",
            f"{report.quantisation_cost:+.2%}",
            f"{report.seconds:.0f}",
        )
    return table


def info_table(info: ArchiveInfo) -> Table:
    """What an archive holds and where its bytes go."""
    table = Table(title=plain(info.url), show_header=False, min_width=40)
    table.add_column()
    table.add_column(justify="right")
    has_sizes = info.heights is not None
    table.add_row("cells", f"{info.n_cells:,} of {info.sizes_text}")
    channels = f"{info.n_channels} channel{'s' if info.n_channels > 1 else ''}"
    where = " before y and x" if info.channel_first else ""
    table.add_row("pixels", f"{info.dtype}, {channels}{where}")
    if info.channel_names:
        table.add_row("channels", plain(", ".join(info.channel_names)))
    if info.n_masks:
        each = "mask" if info.n_masks == 1 else "masks"
        table.add_row("beside each cell", f"{info.n_masks} {each}")
    if info.n_silhouettes:
        table.add_row("coded with a silhouette", f"{info.n_silhouettes:,}")
    if info.n_lattice:
        table.add_row("stored as JPEG coefficients", f"{info.n_lattice:,}")
        for camera in info.cameras[:MAX_CAMERAS]:
            table.add_row(f"  {camera.text}", f"{camera.n_cells:,}")
        if more := info.cameras[MAX_CAMERAS:]:
            n_more = sum(camera.n_cells for camera in more)
            table.add_row(f"  {len(more):,} others", f"{n_more:,}")
    if info.lattice_saving is not None:
        saved = f"about {info.lattice_saving:.0%} of the bytes"
        table.add_row("  saves, to their pixels", saved)
    if info.n_jpeg_files:
        table.add_row("  of them whole JPEG files", f"{info.n_jpeg_files:,}")
    if has_sizes:
        table.add_row("canvas", " x ".join(map(str, info.cell_shape)))
    # A class that no more than the model names is none that is known of the cells.
    classes = info.classes if info.are_classes_told else {UNTOLD: info.n_cells}
    for name, n in classes.items():
        table.add_row(f"  {plain(name)}", f"{n:,}")
    if info.n_foreign_cells:
        table.add_row("  behind them, of another program", f"{info.n_foreign_cells:,}")
    table.add_row("zarr format, chunk", f"{info.zarr_format}, {info.chunk_cells} cells")
    model = f"{info.profile}, sha256 {info.sha256[:12]}" if info.sha256 else "none: no model"
    table.add_row("profile", plain(model))
    table.add_row("complete", "yes" if info.complete else "NO: `zarrmal archive --resume`")
    table.add_section()
    apart = info.latent_bytes > 0  # the hybrid profile codes latents and pixels together
    for label, n in [
        ("raw pixels", info.raw_bytes),
        (
            "payload, latents included" if info.sha256 and not apart else "payload",
            info.payload_bytes,
        ),
        *([("latent vectors", info.latent_bytes)] if apart else []),
        *([("masks", info.mask_bytes)] if info.n_masks else []),
        ("model", info.model_bytes),
        ("metadata of the cells", info.cells_metadata_bytes),
        ("other metadata, digests", info.other_metadata_bytes),
        *(
            [("  of them a copy, model included", info.consolidated_bytes)]
            if info.sha256 and info.consolidated_bytes > info.model_bytes
            else []
        ),
        ("columns: labels, names, order …", info.columns_bytes),
        *([("  of them around coefficients", info.frame_bytes)] if info.frame_bytes else []),
        ("everything stored", info.stored_bytes),
    ]:
        table.add_row(label, f"{n:,} bytes")
    table.add_section()
    if has_sizes:
        table.add_row("pixels, without padding", f"{info.n_pixels:,}")
    for label, rate in [
        ("bits/pixel, everything stored", info.bits_per_pixel),
        ("bits/pixel of the array `cells`", info.cells_bits_per_pixel),
        ("  of it, without the model", info.cells_bits_per_pixel_without_model),
    ]:
        table.add_row(label, f"{rate:.3f}")
    return table


def print_info(info: ArchiveInfo) -> None:
    """The table of an archive on stdout, and a line where the original pixels are not in it."""
    out.print(info_table(info))
    print_notice(info.pixels_notice)


def print_notice(notice: str) -> None:
    """A line of its own, unless it is empty."""
    if notice:
        out.print(notice, style="yellow", markup=False, soft_wrap=True)


def classifier_table(report: ClassifierReport) -> Table:
    """Confusion matrix and misclassification rates of a classifier, on labelled cells."""
    where = f"on unseen {report.unseen}" if report.unseen else "beside the labels"
    table = Table(
        title=f"classifier {where}: {report.accuracy:.1%} of {int(report.confusion.sum()):,} right"
    )
    table.add_column("true class")
    for j, name in enumerate(report.class_names):
        table.add_column(f"as {plain(name)} (C{j})", justify="right")
    for i, name in enumerate(report.class_names):
        table.add_row(
            f"{plain(name)} (S{i})",
            *(
                f"{n:,}  P(C{j}|S{i}) = {report.rates[i, j]:.3f}"
                for j, n in enumerate(report.confusion[i].tolist())
            ),
        )
    if report.calibration_error is not None:
        table.caption = f"expected calibration error {report.calibration_error:.3f}"
        if report.raw_calibration_error is not None:
            table.caption += f", before calibration {report.raw_calibration_error:.3f}"
    return table
