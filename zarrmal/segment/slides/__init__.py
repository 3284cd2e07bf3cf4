"""Slides: whole-slide files, OME-Zarr, pictures and folders of tiles, read by rectangle."""

from .open import open_slide
from .slide import Slide

__all__ = ["Slide", "open_slide"]
