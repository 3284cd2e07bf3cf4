"""JSON of unknown origin, parsed strictly (FORMAT 1.8)."""

from __future__ import annotations

import json
import re
from typing import Any

from ..constants import MAX_JSON_DEPTH, MAX_MODEL_BODY_BYTES
from ..errors import CorruptionError, ZarrmalError

STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
"""A string, or one that lacks its end: so that no text makes the search start again."""
BRACKET = re.compile(rb"[\[\]{}]")

MAX_DIGITS = 4300
"""Python refuses to parse more. No member that is used needs so many."""


def parse_json(text: bytes) -> Any:
    """Parse UTF-8 JSON.

    Raises
    ------
    CorruptionError
        Also for a member named twice, NaN and Infinity, and more than 64 nested arrays and objects.
    """
    expect_depth(text)
    try:
        return json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique_members,
            parse_constant=_no_constant,
            parse_int=_number,
        )
    except ZarrmalError:
        raise
    except (ValueError, RecursionError) as error:
        raise CorruptionError(f"the model's JSON is damaged: {error}") from None


def expect_depth(text: bytes) -> None:
    """CorruptionError if arrays and objects are nested more than 64 deep, also in `about`.

    How deep Python's own parser follows depends on its version and on who calls it.
    """
    depth = 0
    for bracket in BRACKET.findall(STRING.sub(b"", text)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_JSON_DEPTH:
            raise CorruptionError(
                f"the model's JSON has more than {MAX_JSON_DEPTH} arrays and objects inside each "
                f"other"
            )


def _number(text: str) -> int | float:
    return int(text) if len(text) <= MAX_DIGITS else float(text)


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
