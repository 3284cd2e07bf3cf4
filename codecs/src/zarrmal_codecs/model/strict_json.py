"""JSON of unknown origin, parsed strictly (FORMAT 2.2)."""

from __future__ import annotations

import json
from typing import Any

from ..constants import MAX_MODEL_BODY_BYTES
from ..errors import CorruptionError, ZarrmalError


def parse_json(text: bytes) -> Any:
    """Parse UTF-8 JSON; CorruptionError also for a member named twice, NaN and Infinity."""
    try:
        return json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique_members, parse_constant=_no_constant
        )
    except ZarrmalError:
        raise
    except (ValueError, RecursionError) as error:  # ValueError: an integer of 4,301 digits, too
        raise CorruptionError(f"the model's JSON is damaged: {error}") from None


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise CorruptionError("the model's JSON is damaged: it names a member twice")
    return tree


def _no_constant(name: str) -> None:
    raise CorruptionError(f"the model's JSON is damaged: {name} is not JSON")


def shown(value: Any) -> str:
    """A value as a message quotes it: shortened; of an object or array only its type."""
    if isinstance(value, int) and value.bit_length() > 256:  # Python refuses to format it
        return "a number of many digits"
    plain = value is None or isinstance(value, str | int | float)
    return f"{value!r:.80}" if plain else f"a {type(value).__name__}"


def text_from_json(value: Any, name: str) -> str:
    """A string; CorruptionError for anything else."""
    if not isinstance(value, str):
        raise CorruptionError(f"the model's {name} must be a string, not {shown(value)}")
    return value


def size_from_json(value: Any) -> int:
    """An integer that can be a size; CorruptionError for anything else, True included."""
    if type(value) is not int or not 0 <= value <= MAX_MODEL_BODY_BYTES:
        raise CorruptionError(f"the model holds {shown(value)} where a size is needed")
    return value
