"""Loops over pixels and blocks, compiled to machine code.

Numba is an extra of the writer: readers decode with `zarrmal_codecs` alone. It was taken rather
than the kernel because the search only chooses: it may change every week, and the bytes do not
depend on how it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

IS_AVAILABLE = find_spec("numba") is not None
"""Whether numba, of the extra `lattice`, is installed."""


def compiled(function: F) -> F:
    """Compile a function with numba, and cache the code on disk; without numba leave it as it is.

    No fast-math: sums are done in the order in which they are written, so that the same pixels give
    the same coefficients on every machine. Compiled code checks no bounds. The cache notices
    changes of a function's own file only: after a change elsewhere, remove the `__pycache__`s here.
    """
    if not IS_AVAILABLE:
        return function
    import numba

    return cast(F, numba.njit(cache=True, error_model="numpy", nogil=True)(function))
