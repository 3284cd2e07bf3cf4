"""Version of this distribution, recorded in archives."""

from importlib.metadata import version

VERSION = version("zarrmal")
SOFTWARE = f"zarrmal {VERSION}"
