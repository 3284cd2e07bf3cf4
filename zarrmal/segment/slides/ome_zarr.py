"""OME-Zarr, and plain Zarr arrays, as slides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr

from ...errors import InputError
from ...sources.sizes import Pixels
from ...sources.slide_address import multiscales
from .slide import ONE_PLANE, Slide, as_image, block_of, checked_shape, said
from .tiff import slide_name


class ZarrSlide(Slide):
    """An array (y, x[, channel]) of Zarr, or the finest level of an OME-Zarr.

    Parameters
    ----------
    node
        Array or group.
    address
        For messages and the name.

    Raises
    ------
    InputError
        If it holds no image, or no single plane.
    """

    def __init__(self, node: zarr.Array[Any] | zarr.Group, address: str) -> None:
        array, axes = _finest(node, address)
        self._array, self._address = array, address
        # One plane: every other axis has length 1. Channels may lead.
        self._select, self._order = _plane(array.shape, axes, address, array.dtype)
        kept = [k for k, index in enumerate(self._select) if index is None]
        lengths = [array.shape[kept[k]] for k in self._order]
        shape = checked_shape(tuple(lengths), array.dtype, address, axes)
        self._kept = kept
        chunk = (array.chunks[kept[self._order[0]]], array.chunks[kept[self._order[1]]])
        super().__init__(
            shape,
            location=f"slide {address}",
            name=slide_name(address),
            block=block_of(chunk),
            dtype=np.dtype(array.dtype),
        )

    def decode(self, y: int, x: int, height: int, width: int) -> Pixels:
        """See Slide.decode."""
        index: list[Any] = [0 if k is not None else slice(None) for k in self._select]
        index[self._kept[self._order[0]]] = slice(y, y + height)
        index[self._kept[self._order[1]]] = slice(x, x + width)
        try:
            pixels = np.asarray(self._array[tuple(index)])
        except Exception as error:  # codecs promise no errors of their own
            raise InputError(
                f"{self._address}: cannot be decoded at row {y:,}, column {x:,}: the chunk is "
                f"damaged, or its compression unknown{said('zarr', error)}"
            ) from error
        return as_image(pixels.transpose(self._order), self.shape)


def _finest(node: zarr.Array[Any] | zarr.Group, address: str) -> tuple[zarr.Array[Any], str]:
    """The array of full resolution, and the names of its axes."""
    if isinstance(node, zarr.Array):
        return node, "yxc"[: node.ndim] if node.ndim <= 3 else "?" * node.ndim
    image = multiscales(node)
    if image is None:
        raise InputError(f"{address}: the group is no OME-Zarr: it has no `multiscales`")
    try:
        array = node[image["datasets"][0]["path"]]
        axes = image.get("axes") or list("tczyx")
        names = "".join(str(a["name"] if isinstance(a, Mapping) else a)[:1] for a in axes)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise InputError(f"{address}: its `multiscales` are damaged") from error
    if not isinstance(array, zarr.Array) or len(names) != array.ndim:
        raise InputError(f"{address}: its `multiscales` name no array of {len(names)} axes")
    return array, names


def _plane(
    shape: tuple[int, ...], axes: str, address: str, dtype: Any
) -> tuple[list[int | None], list[int]]:
    """Which axes are fixed at 0, and the order (y, x[, channel]) of the others."""
    select: list[int | None] = []
    names = ""
    for name, length in zip(axes, shape, strict=True):
        is_wanted = name in "yx" or (name == "c" and length in (3, 4))
        if not is_wanted and length != 1:
            raise InputError(
                f"{address}: holds {dtype} of shape {shape} (axes {axes}); {ONE_PLANE}"
            )
        select.append(None if is_wanted else 0)
        names += name if is_wanted else ""
    if "y" not in names or "x" not in names:
        raise InputError(f"{address}: has axes {axes}, a slide has y and x")
    return select, [names.index(name) for name in "yxc" if name in names]
