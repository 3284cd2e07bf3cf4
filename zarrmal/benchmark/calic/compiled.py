"""Machine code from Python loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The same function as machine code, kept on disk between runs.

    What is kept follows changes of a function's own file only: after a change elsewhere in this
    folder, remove its `__pycache__`. Such code checks no bounds: each caller of an outermost
    function checks lengths.
    """
    return cast(F, numba.njit(cache=True)(function))
