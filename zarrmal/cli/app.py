"""The command line's root: ``zarrmal COMMAND --help`` shows an example of each command."""

from __future__ import annotations

from typing import Annotated

import typer
from zarrmal_codecs.hybrid.engine import chosen_level

from ..version import SOFTWARE
from .terminal.console import say_error
from .terminal.errors import EXIT_CODES, EXIT_USAGE

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Archive cell images in Zarr: class-wise learned, lossless, plain to read.",
    epilog=EXIT_CODES,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(SOFTWARE)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    try:
        chosen_level()
    except ValueError as error:  # the environment asks for a kernel that is not there
        say_error(str(error))
        raise typer.Exit(EXIT_USAGE) from None
