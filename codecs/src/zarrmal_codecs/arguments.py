"""The right keyword arguments for zarr and xarray, because each wants the codec elsewhere."""

from __future__ import annotations

from typing import Any, Literal

from .golomb_rice import RiceChoice
from .model import Model
from .numcodecs_plugin import NumcodecsZarrmal
from .zarr_plugin import ZarrmalCodec


def array_arguments(
    model: Model | None,
    *,
    library: Literal["zarr", "xarray"] = "zarr",
    zarr_format: Literal[2, 3] = 3,
    rice: RiceChoice = "mean",
) -> dict[str, Any]:
    """Keyword arguments for ``zarr.create_array``, or one variable's ``encoding`` for xarray.

    Parameters
    ----------
    model
        The model to store with the array. None gives a codec without one, that only deflates.
    library
        "zarr" for ``zarr.create_array(..., **arguments)``, "xarray" for
        ``dataset.to_zarr(..., encoding={"cells": arguments}, zarr_format=...)``.
    zarr_format
        3 or 2.
    rice
        How Rice parameters are chosen: "mean" (the paper's formula), "best", "best-per-cell".

    Returns
    -------
    dict
        Add ``chunks`` to it. Chunks that hold nothing but the fill value are written like all
        others, so that a lost chunk cannot pass for a black one; in format 2 there is no fill
        value at all, so that xarray does not take black pixels for missing ones.

    Examples
    --------
    >>> from zarrmal_codecs import array_arguments
    >>> sorted(array_arguments(None))
    ['compressors', 'config', 'fill_value', 'filters', 'serializer', 'zarr_format']
    """
    if library not in ("zarr", "xarray"):
        raise ValueError(f"library must be 'zarr' or 'xarray', not {library!r}")
    if zarr_format not in (2, 3):
        raise ValueError(f"zarr_format must be 2 or 3, not {zarr_format!r}")
    arguments: dict[str, Any]
    if zarr_format == 3:
        arguments = {"serializer": ZarrmalCodec.of(model, rice=rice), "compressors": None}
    else:
        arguments = {"compressors": [NumcodecsZarrmal.of(model, rice=rice)]}
    arguments["filters"] = None
    if library == "xarray":
        arguments["write_empty_chunks"] = True
        # xarray sets fill values from _FillValue; None keeps it from inventing one.
        return arguments | ({"_FillValue": None} if zarr_format == 2 else {})
    return arguments | {
        "zarr_format": zarr_format,
        "fill_value": 0 if zarr_format == 3 else None,
        "config": {"write_empty_chunks": True},
    }
