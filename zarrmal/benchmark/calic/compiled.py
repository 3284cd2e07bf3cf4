"""Compile Python loops to machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function with numba, and cache the code on disk.

    The cache notices changes of a function's own file only: after a change elsewhere in this
    folder, remove its `__pycache__`. Compiled code checks no bounds: the callers in ``codec`` check
    lengths.
    """
    return cast(F, numba.njit(cache=True)(function))
