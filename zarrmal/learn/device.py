"""Where to compute."""

from __future__ import annotations

import torch

from ..errors import InputError


def choose_device(wish: str) -> torch.device:
    """From "auto", "cpu", "cuda" … to a device that answers; InputError if it doesn't."""
    if wish == "auto":
        wish = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.zeros(1, device=wish).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {wish!r} cannot be used: {reason}; try --device cpu") from None
