"""Version of this distribution, as archives record it."""

from importlib.metadata import version

VERSION = version("zarrmal")
SOFTWARE = f"zarrmal {VERSION}"
