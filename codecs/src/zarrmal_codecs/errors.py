"""The errors that stored bytes can raise.

::

    ZarrmalError
    ├── CompatibilityError   a format version, profile or option newer than this reader
    ├── CorruptionError      the bytes contradict themselves or their checksum
    │   └── TruncatedError   the bytes end before the format says they do
    └── ModelError           a model is missing, is not the one the data need, or breaks its bounds

A caller's mistake is a plain ValueError or TypeError. ZarrmalError is a ValueError too, so
``except ValueError`` around a read catches it.
"""

from __future__ import annotations

LONGEST_MESSAGE = 500  # characters


class ZarrmalError(ValueError):
    """Base of all errors about stored bytes."""

    def __str__(self) -> str:
        # Messages quote stored values, and a hostile file may hold names of any length.
        text = super().__str__()
        return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}…"


class CompatibilityError(ZarrmalError):
    """The bytes need a newer or other version of this software."""


class CorruptionError(ZarrmalError):
    """The bytes are damaged, or were never what they claim to be."""


class TruncatedError(CorruptionError):
    """The bytes end too early."""


class ModelError(ZarrmalError):
    """A model is missing, is not the one needed, or could not be proven exact."""
