"""The machine that ran a benchmark, its load, and the versions of all libraries that code."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

IDLE_LOAD = 0.5
"""Load per core up to which a machine counts as idle."""
PACKAGES = ("zarrmal", "zarrmal-codecs", "zarr", "numpy", "imagecodecs")
LIBRARIES = ("libjxl", "openjpeg", "charls", "libwebp", "libpng", "zstd", "c-blosc")
"""Names in imagecodecs."""


def machine_facts() -> dict[str, Any]:
    """Processor, and the load before the run. Speeds of a ``busy`` machine are not reliable."""
    has_affinity = hasattr(os, "sched_getaffinity")
    n_cpus = (len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()) or 1
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cpu": _cpu_name(),
        "n_cpus": n_cpus,
        "load_before": load,
        "busy": load is not None and load > IDLE_LOAD * n_cpus,
    }


def versions() -> dict[str, str]:
    """Of Python, our packages, the libraries in imagecodecs, and numba, which compiles CALIC."""
    import imagecodecs as ic

    libraries = ic.version(dict)
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        **{name: str(libraries[name]) for name in LIBRARIES if name in libraries},
        "numba": _version_or_missing("numba"),
    }


def _version_or_missing(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()
