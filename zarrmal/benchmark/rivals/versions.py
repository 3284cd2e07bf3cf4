"""Which libraries code here."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("libjxl", "openjpeg", "charls", "libwebp", "libpng", "zstd", "c-blosc")
"""As imagecodecs calls them."""


def library_versions() -> dict[str, str]:
    """Of the libraries that imagecodecs carries, and of what compiles CALIC; xz is Python's own."""
    import imagecodecs as ic

    known = ic.version(dict)
    found = {name: str(known[name]) for name in LIBRARIES if name in known}
    return found | {"numba": _installed("numba")}


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
