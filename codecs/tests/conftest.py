"""Fixtures; the helpers are modules beside this file (pyproject.toml's pythonpath)."""

from __future__ import annotations

import json
from pathlib import Path

import models
import pytest
from zarrmal_codecs.chunk.coder import Coder

VECTORS = Path(__file__).parents[1] / "vectors"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per vector: ``vector`` is a folder and its entry in index.json."""
    for name, folder, kinds in (
        ("vector", VECTORS, ""),
        ("invalid", VECTORS / "invalid", ""),
        ("invalid_bytes", VECTORS / "invalid", ("chunk", "model")),
        ("invalid_config", VECTORS / "invalid", "config"),
    ):
        if name in metafunc.fixturenames:
            index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
            cases = {key: (folder / key, index[key]) for key in index if key.startswith(kinds)}
            metafunc.parametrize(name, list(cases.values()), ids=list(cases))


@pytest.fixture(params=models.SMALL)
def model(request):
    """Each of the small models."""
    return models.SMALL[request.param]()


@pytest.fixture
def coder(model):
    """The coder of ``model``."""
    return Coder(model)


@pytest.fixture
def two_classes():
    """The model of grey (6, 5) cells."""
    return models.two_classes()
