"""``zarrmal train-lattice``: learn how the camera's own coefficients are coded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.lattice.stored import lattice_of, with_lattice
from zarrmal_codecs.lattice.weights import Weights

from ... import choose
from ...errors import InputError
from ...models import shipped_originals
from .. import options as o
from ..app import app
from ..arguments import refuse_output
from ..option_groups import SourceOptions
from ..terminal.console import out, print_json, progress_bars
from ..terminal.errors import reports_errors
from ..terminal.listener import open_cells
from .lattice_tables import lattice_table

SILHOUETTE = "silhouette"
"""The tensor that holds a class's table of masks (FORMAT 4.7)."""


@app.command("train-lattice")
@reports_errors
def train_lattice(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="MODEL", help="The model file to write.")
    ],
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]…",
            help="JPEG files, or cells cut out of JPEG pictures, at their own size. The more "
            "cameras, the better for others.",
            show_default=False,
        ),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="The model that gets the weights; by default the shipped one for originals.",
        ),
    ] = None,
    weights_from: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL", help="Take the weights of this model instead of learning them."
        ),
    ] = None,
    masks_from: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="Take this model's table of masks; by default a model that has none gets that of "
            "the sources' cells. Without one, cells that were cut out are not coded as "
            "coefficients.",
        ),
    ] = None,
    validation: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the slides kept out to report by.")
    ] = 0.25,
    max_cells: Annotated[
        int, typer.Option(min=2, help="Look at so many training cells of a source.")
    ] = 1000,
    blocks: Annotated[
        int, typer.Option(min=100, help="Blocks of 8 x 8 to learn from, of brightness.")
    ] = 120_000,
    steps: Annotated[int, typer.Option(min=1, help="Batches of each small network.")] = 5_000,
    recompressed: Annotated[
        int,
        typer.Option(
            min=0,
            help="Whole pictures that are reduced and saved as JPEG again, at many qualities and "
            "samplings, so that the weights serve other cameras too.",
        ),
    ] = 400,
    effort: Annotated[
        o.EffortName | None,
        typer.Option(
            help="How many coefficients of a block of brightness get a network: none, three, all. "
            "More is smaller and slower. By default three, or what --weights-from has.",
            show_default=False,
        ),
    ] = None,
    seed: o.Seed = 0,
    channel: o.Channel = o.ChannelName.auto,
    group_pattern: o.GroupPattern = None,
    skip_unreadable: o.SkipUnreadable = False,
    source_option: o.SourceOption = None,
    as_json: o.Json = False,
) -> None:
    """Learn weights for coding cells as the coefficients of the JPEG pictures they came from.

    They go into a model that codes cells whole, too. Call it again after an interruption: the run
    continues.

    Example: `zarrmal train-lattice photos/ crops/ --into cells.zmal -o cells-lattice.zmal`
    """
    refuse_output(output)
    if bool(sources) == (weights_from is not None):
        raise InputError("give either sources to learn from, or --weights-from a model")
    model = choose.load_model(into) if into else shipped_originals()
    if model is None or model.profile != "hybrid":
        raise InputError(
            "the weights go into a model of profile hybrid: give one with --into; `zarrmal train "
            "SOURCE -o MODEL` makes it"
        )
    if masks_from is not None:
        model = _with_masks_of(model, choose.load_model(masks_from), masks_from)
    if weights_from is not None:
        given = choose.load_model(weights_from)
        weights, about = _weights_of(given, weights_from)
        if effort is not None:
            choose.import_learn()
            weights = [_with_fewer_networks(own, effort.value, weights_from) for own in weights]
        masks = given.classes[0].tensors.get(SILHOUETTE)
        result = None
    else:
        choose.import_learn()
        from ...learn.lattice import LatticeOptions
        from ...learn.lattice import train_lattice as train

        options = LatticeOptions(
            n_steps=steps,
            n_blocks=blocks,
            n_recompressed=recompressed,
            max_cells=max_cells,
            effort="default" if effort is None else effort.value,
            validation=validation,
            seed=seed,
        )
        with progress_bars() as progress:
            reading = SourceOptions(
                channel=channel,
                group_pattern=group_pattern,
                skip_unreadable=skip_unreadable,
                source_option=source_option,
            )
            opened = [open_cells(each, reading.arguments(), progress) for each in sources or ()]
            result = train(
                opened,
                options,
                checkpoint=output.with_name(output.name + ".checkpoint"),
                progress=progress,
            )
        weights, about, masks = [result.weights], result.about, result.masks
    model = replace(model, about={**model.about, **about})
    if masks is not None:
        model = _with_masks(model, masks)
    each = weights if len(weights) == len(model.classes) else weights[0]
    model = with_lattice(model, each)
    model.save(output)
    if as_json:
        print_json(
            {"sha256": model.digest, "model_bytes": model.n_bytes}
            | ({} if result is None else result.to_json())
        )
        return
    out.print(repr(model), markup=False)
    if result is not None:
        out.print(lattice_table(result, sources or ()))


def _with_masks_of(model: Model, other: Model, path: Path) -> Model:
    """The model with the other's table of masks: of the class of that name, or of the last one."""
    tables = {each.name: each.tensors.get(SILHOUETTE) for each in other.classes}
    last = list(tables.values())[-1]
    classes = []
    for each in model.classes:
        table = tables.get(each.name, last)
        if table is None:
            raise InputError(f"{path} has no table of masks: train it on cells with masks")
        classes.append(replace(each, tensors={**each.tensors, SILHOUETTE: table}))
    return replace(model, classes=tuple(classes))


def _with_masks(model: Model, table: NDArray[Any]) -> Model:
    """The model with this table of masks for classes that have none."""
    classes = tuple(
        replace(each, tensors={SILHOUETTE: table, **each.tensors}) for each in model.classes
    )
    return replace(model, classes=classes)


def _weights_of(model: Model, path: Path) -> tuple[list[Weights], dict[str, object]]:
    """Of each class, and how they were trained."""
    weights = [lattice_of(each) for each in model.classes]
    known = [own for own in weights if own is not None]
    if len(known) < len(weights):
        raise InputError(f"{path}: its classes have no weights for coefficients")
    about = {"lattice": model.about["lattice"]} if "lattice" in model.about else {}
    return known, about


def _with_fewer_networks(weights: Weights, effort: str, path: Path) -> Weights:
    """Weights for an effort that takes no more networks than they have."""
    from ...learn.lattice.options import EFFORTS

    wanted = EFFORTS[effort]
    if wanted > weights.planes[0].n_networks:
        raise InputError(f"{path} has fewer networks than --effort {effort} takes: train anew")
    return weights.with_networks(wanted)
