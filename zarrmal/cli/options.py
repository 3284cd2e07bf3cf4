"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ChannelName(StrEnum):
    """Which plane of colour images to take."""

    auto = "auto"
    red = "red"
    green = "green"
    blue = "blue"
    all = "all"


class ProfileName(StrEnum):
    """How cells are coded."""

    hybrid = "hybrid"
    paper = "paper"


class EffortName(StrEnum):
    """How large the context network of the hybrid profile is."""

    fast = "fast"
    default = "default"
    max = "max"


class AssignName(StrEnum):
    """How cells get their class."""

    auto = "auto"
    labels = "labels"
    classifier = "classifier"
    shortest = "shortest"


class LossName(StrEnum):
    """What training makes small."""

    absolute = "absolute"
    square = "square"


class ShardIndexName(StrEnum):
    """Where the index of a shard lies."""

    auto = "auto"
    start = "start"
    end = "end"


class RiceName(StrEnum):
    """How Rice parameters are chosen."""

    mean = "mean"
    best = "best"
    per_cell = "best-per-cell"


class LatticeName(StrEnum):
    """Whether the JPEG coefficients behind cells are used."""

    auto = "auto"
    off = "off"


class InferName(StrEnum):
    """Whether masks are inferred from the edges of cells."""

    auto = "auto"
    off = "off"


class SplittingName(StrEnum):
    """How touching cells of a slide are split."""

    watershed = "watershed"
    hough = "hough"


Lattice = Annotated[
    LatticeName,
    typer.Option(
        help="auto: cells that are JPEG files, or whose pixels were cut out of JPEG pictures, are "
        "stored as the coefficients of these, where that is shorter and the model codes them."
    ),
]
SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A folder of images (one sub-folder a class, or flat), a .npy, .npz or HDF5 file "
        "(file.h5::name), a Zarr array at any URL, or a slide (SVS, NDPI, TIFF, OME-Zarr, or a "
        "picture of a field).",
        show_default=False,
    ),
]
UrlArgument = Annotated[
    str,
    typer.Argument(
        metavar="URL", help="The archive: a path or a URL such as s3://…", show_default=False
    ),
]
Channel = Annotated[
    ChannelName, typer.Option(help="Plane of colour images; auto keeps what is there.")
]
Size = Annotated[
    int | None,
    typer.Option(min=1, help="Resize every image to N x N pixels, bilinearly.", metavar="N"),
]
GroupPattern = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="Finds the slide of a cell in its file name; data are split by slide.",
    ),
]
TileSide = Annotated[
    int | None,
    typer.Option(
        "--tile",
        min=1,
        metavar="N",
        help="Slides: side of the tiles that are segmented at once, in pixels; small ones take "
        "longer. By default what suits the cells.",
    ),
]
SplittingOption = Annotated[
    SplittingName,
    typer.Option(
        "--split", help="Slides: split touching cells by a watershed, or by Hough circles."
    ),
]
KeepBorder = Annotated[
    bool | None,
    typer.Option(
        "--keep-border/--no-keep-border",
        help="Slides: keep all cells that the border of the slide cuts, or none; by default those "
        "that are nearly whole.",
        show_default=False,
    ),
]
SkipUnreadable = Annotated[
    bool, typer.Option("--skip-unreadable", help="Leave damaged files out instead of stopping.")
]
StorageOption = Annotated[
    list[str] | None,
    typer.Option(
        "--storage-option", metavar="K=V", help="For the archive's file system; may be repeated."
    ),
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--source-option", metavar="K=V", help="For the source's file system; may be repeated."
    ),
]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Passes over the cells; by default from their number.")
]
Hidden = Annotated[
    str,
    typer.Option(metavar="N,N,…", help="Widths of the autoencoder, the latent vector last."),
]
PretrainEpochs = Annotated[
    int | None, typer.Option(min=0, help="Of each layer alone, before the whole.")
]
MaxCells = Annotated[int, typer.Option(min=2, help="Train on at most so many cells a class.")]
LossOption = Annotated[
    LossName, typer.Option(help="Absolute error suits the Rice code; square is the paper's.")
]
Coarseness = Annotated[
    float,
    typer.Option(help="Step of integer weights over their rms; more gives a smaller model."),
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same model.")]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="A model file. Without one, the model that ships, where the cells fit it.",
    ),
]
EffortOption = Annotated[
    EffortName,
    typer.Option(help="hybrid: size of the context network; more is smaller and slower."),
]
Minutes = Annotated[
    float | None,
    typer.Option(min=0.05, help="hybrid: end training after about so many minutes."),
]
Steps = Annotated[
    int | None, typer.Option(min=1, help="hybrid: batches to train on; by default the effort's.")
]
Profile = Annotated[ProfileName, typer.Option(help="How cells are coded.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable result on stdout.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where an interrupted run has stopped, if any.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Chunks coded at once; by default one a core, at most 4.")
]
Dask = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Code chunks on the workers of this dask scheduler, such as tcp://…:8786; they must "
        "see the source and the archive under the same names.",
    ),
]
