"""The command line."""

from . import benchmark, demo
from .main import main

__all__ = ["benchmark", "demo", "main"]
