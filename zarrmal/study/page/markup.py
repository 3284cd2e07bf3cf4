"""Pieces of HTML. All input is text, and is escaped here."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table whose first column names its rows.

    Parameters
    ----------
    name
        Id on the page.
    text_columns
        Number of text columns on the left; all others are numbers.
    stacked
        Whether a narrow screen shows each row as a block.
    """

    name: str
    caption: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    text_columns: int = 1
    stacked: bool = False


def paragraphs(sentences: Sequence[str]) -> str:
    """One paragraph per sentence."""
    return "".join(f"<p>{escape(sentence)}</p>\n" for sentence in sentences)


def items(texts: Sequence[str]) -> str:
    """A list."""
    return "<ul>\n" + "".join(f"<li>{escape(text)}</li>\n" for text in texts) + "</ul>\n"


def render_table(table: Table) -> str:
    """A table whose headers have a scope; numbers are right-aligned."""

    def kind(k: int) -> str:
        return "" if k < table.text_columns else ' class="number"'

    head = "".join(
        f'<th scope="col"{kind(k)}>{escape(name)}</th>' for k, name in enumerate(table.head)
    )
    stacked = ' class="stacked"' if table.stacked else ""
    body = ""
    for row in table.rows:
        cells = "".join(
            f'<td{kind(k)} data-name="{escape(table.head[k])}">{escape(text)}</td>'
            for k, text in enumerate(row)
            if k > 0
        )
        body += f'<tr><th scope="row">{escape(row[0])}</th>{cells}</tr>\n'
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{escape(table.name)}">\n'
        f"<table{stacked}>\n"
        f'<caption id="{escape(table.name)}"><span>{escape(table.caption)}</span></caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n"
    )


def figure(name: str, title: str, picture: bytes, alt: str, caption: Sequence[str]) -> str:
    """An SVG inside the page, on a white card, with its caption."""
    data = b64encode(picture).decode("ascii")
    return (
        f'<figure id="{escape(name)}">\n<div class="card" role="region" tabindex="0" '
        f'aria-label="{escape(title)}"><img src="data:image/svg+xml;base64,{data}" '
        f'alt="{escape(alt)}"></div>\n'
        f"<figcaption><strong>{escape(title)}</strong>\n{paragraphs(caption)}</figcaption>\n"
        "</figure>\n"
    )


def numbers(pairs: Sequence[tuple[str, str, str]]) -> str:
    """Key numbers: (number, unit, description)."""
    return (
        '<dl class="numbers">\n'
        + "".join(
            f"<div><dt>{escape(name)}</dt><dd><b>{escape(number)}</b> {escape(unit)}</dd></div>\n"
            for number, unit, name in pairs
        )
        + "</dl>\n"
    )


def terms(pairs: Sequence[tuple[str, str]]) -> str:
    """Terms with their values."""
    inner = "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>\n" for a, b in pairs)
    return f'<dl class="terms">\n{inner}</dl>\n'
