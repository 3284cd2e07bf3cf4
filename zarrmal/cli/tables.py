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
    r = result.report
    table = Table(title="bits per pixel of kept-out slides, latents counted, model not")
    for name in ("effort", "cells", "kept out", "steps", "float", "int8", "cost", "seconds"):
        table.add_column(name, justify="left" if name == "effort" else "right")
    table.add_row(
        r.effort,
        f"{r.n_training:,}",
        f"{r.n_validation:,}" if r.n_validation else "–",
        f"{r.n_steps:,}",
        f"{r.float_bits:.4f}",
        f"{r.int8_bits:.4f}",
        f"{r.quantisation_cost:+.2%}",
        f"{r.seconds:.0f}",
    )
    return table


def training_table(result: TrainResult) -> Table:
    """How the training of each class ended."""
    table = Table(title="bits per pixel value, latents counted, model not")
    for name in ("class", "cells", "training", "kept out", "float", "int8", "cost", "seconds"):
        table.add_column(name, justify="left" if name == "class" else "right")
    for r in result.reports:
        table.add_row(
            r.name,
            f"{r.n_training:,}",
            f"{r.training_bits:.3f}",
            f"{r.validation_bits:.3f}" if r.n_validation else "–",
            f"{r.float_bits:.3f}",
            f"{r.int8_bits:.3f}",
            f"{r.quantisation_cost:+.2%}",
            f"{r.seconds:.0f}",
        )
    return table


def info_table(found: ArchiveInfo) -> Table:
    """What an archive holds and where its bytes go."""
    table = Table(title=plain(found.url), show_header=False, min_width=40)
    table.add_column()
    table.add_column(justify="right")
    has_sizes = found.heights is not None
    table.add_row("cells", f"{found.n_cells:,} of {found.sizes_text}")
    channels = f"{found.n_channels} channel{'s' if found.n_channels > 1 else ''}"
    where = " before y and x" if found.channel_first else ""
    table.add_row("pixels", f"{found.dtype}, {channels}{where}")
    if found.channel_names:
        table.add_row("channels", plain(", ".join(found.channel_names)))
    if found.n_masks:
        each = "mask" if found.n_masks == 1 else "masks"
        table.add_row("beside each cell", f"{found.n_masks} {each}")
    if found.n_silhouettes:
        table.add_row("coded with a silhouette", f"{found.n_silhouettes:,}")
    if found.n_lattice:
        table.add_row("stored as JPEG coefficients", f"{found.n_lattice:,}")
        for camera in found.cameras[:MAX_CAMERAS]:
            table.add_row(f"  {camera.text}", f"{camera.n_cells:,}")
        if more := found.cameras[MAX_CAMERAS:]:
            n_more = sum(camera.n_cells for camera in more)
            table.add_row(f"  {len(more):,} others", f"{n_more:,}")
    if found.lattice_saving is not None:
        saved = f"about {found.lattice_saving:.0%} of the bytes"
        table.add_row("  saves, to their pixels", saved)
    if found.n_jpeg_files:
        table.add_row("  of them whole JPEG files", f"{found.n_jpeg_files:,}")
    if has_sizes:
        table.add_row("canvas", " x ".join(map(str, found.cell_shape)))
    # A class that no more than the model names is none that is known of the cells.
    classes = found.classes if found.are_classes_told else {UNTOLD: found.n_cells}
    for name, n in classes.items():
        table.add_row(f"  {plain(name)}", f"{n:,}")
    if found.n_foreign_cells:
        table.add_row("  behind them, of another program", f"{found.n_foreign_cells:,}")
    table.add_row("zarr format, chunk", f"{found.zarr_format}, {found.chunk_cells} cells")
    model = f"{found.profile}, sha256 {found.sha256[:12]}" if found.sha256 else "none: no model"
    table.add_row("profile", plain(model))
    table.add_row("complete", "yes" if found.complete else "NO: `zarrmal archive --resume`")
    table.add_section()
    apart = found.latent_bytes > 0  # the hybrid profile codes latents and pixels together
    for label, n in [
        ("raw pixels", found.raw_bytes),
        (
            "payload, latents included" if found.sha256 and not apart else "payload",
            found.payload_bytes,
        ),
        *([("latent vectors", found.latent_bytes)] if apart else []),
        *([("masks", found.mask_bytes)] if found.n_masks else []),
        ("model", found.model_bytes),
        ("metadata of the cells", found.cells_metadata_bytes),
        ("other metadata, digests", found.other_metadata_bytes),
        *(
            [("  of them a copy, model included", found.consolidated_bytes)]
            if found.sha256 and found.consolidated_bytes > found.model_bytes
            else []
        ),
        ("columns: labels, names, order …", found.columns_bytes),
        *([("  of them around coefficients", found.frame_bytes)] if found.frame_bytes else []),
        ("everything stored", found.stored_bytes),
    ]:
        table.add_row(label, f"{n:,} bytes")
    table.add_section()
    if has_sizes:
        table.add_row("pixels, without padding", f"{found.n_pixels:,}")
    for label, rate in [
        ("bits/pixel, everything stored", found.bits_per_pixel),
        ("bits/pixel of the array `cells`", found.cells_bits_per_pixel),
        ("  of it, without the model", found.cells_bits_per_pixel_without_model),
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
