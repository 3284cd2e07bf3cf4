"""The right keyword arguments for zarr and xarray, because each wants the codec elsewhere."""

from __future__ import annotations

from typing import Any, Literal, get_args

from ..model.model import Model
from ..paper.golomb_rice import RiceChoice
from .numcodecs import NumcodecsZarrmal
from .zarr import ZarrmalCodec

Library = Literal["zarr", "zarr.Group", "zarr.create", "xarray"]


def array_arguments(
    model: Model | None,
    *,
    library: Library = "zarr",
    zarr_format: Literal[2, 3] = 3,
    rice: RiceChoice = "mean",
) -> dict[str, Any]:
    """Keyword arguments that make an array use the codec, which has models for uint8 cells.

    Parameters
    ----------
    model
        The model to store with the array. None gives a codec without one, that only deflates.
    library
        What takes the arguments:

        - "zarr": ``zarr.create_array(store, **arguments)``. Those of format 3 suit a group's
          methods as well.
        - "zarr.Group": ``group.create_array(name, **arguments)`` and
          ``group.require_array(name, **arguments)``. ``zarr_format`` must be the group's.
        - "zarr.create": the older functions ``zarr.create``, ``zarr.array`` and
          ``zarr.open_array(store, mode="w", **arguments)``.
        - "xarray": ``dataset.to_zarr(store, encoding={"cells": arguments}, zarr_format=...)``.
    zarr_format
        3 or 2.
    rice
        How Rice parameters are chosen by what writes with these arguments: "mean" (the paper's
        formula), "best", "best-per-cell". The array's metadata do not hold it.

    Returns
    -------
    dict
        Without ``shape``, ``dtype`` and ``chunks``, which the caller adds. Arrays of other dtypes
        than "uint8" are stored without loss, but not coded with the model. Chunks that hold
        nothing but the fill value are written like all others, so that a lost chunk cannot pass
        for a black one; in format 2 there is no fill value at all, so that xarray does not take
        black pixels for missing ones.

    Raises
    ------
    ValueError
        If ``library`` or ``zarr_format`` is not one of those above.

    Examples
    --------
    >>> from zarrmal_codecs import array_arguments
    >>> sorted(array_arguments(None))
    ['compressors', 'config', 'filters', 'serializer']
    >>> sorted(array_arguments(None, zarr_format=2))
    ['compressors', 'config', 'fill_value', 'filters', 'zarr_format']
    """
    if library not in get_args(Library):
        raise ValueError(f"library must be one of {get_args(Library)}, not {library!r}")
    if zarr_format not in (2, 3):
        raise ValueError(f"zarr_format must be 2 or 3, not {zarr_format!r}")
    codec: ZarrmalCodec | NumcodecsZarrmal
    arguments: dict[str, Any]
    if zarr_format == 3:
        codec = ZarrmalCodec.of(model, rice=rice)
        arguments = {"serializer": codec, "compressors": None, "filters": None}
    else:
        codec = NumcodecsZarrmal.of(model, rice=rice)
        arguments = {"compressors": [codec], "filters": None}
    if library == "xarray":
        arguments["write_empty_chunks"] = True
        # xarray sets fill values from _FillValue; None keeps it from inventing one.
        return arguments | ({"_FillValue": None} if zarr_format == 2 else {})
    if library == "zarr.create":
        arguments = {"codecs": [codec]} if zarr_format == 3 else {"compressor": codec}
    # A group has a format of its own and takes none; zarr.create_array makes format 3 by default.
    if library == "zarr.create" or (library == "zarr" and zarr_format == 2):
        arguments["zarr_format"] = zarr_format
    arguments["config"] = {"write_empty_chunks": True}
    # In format 3 zarr's default is the zero of the dtype, which numbers, strings and fields have.
    return arguments | ({"fill_value": None} if zarr_format == 2 else {})
