"""Where the times were taken, by which versions, and what else the machine was doing."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

from .rivals import library_versions

IDLE_LOAD = 0.5
"""Load a core up to which a machine counts as idle."""
PACKAGES = ("zarrmal", "zarrmal-codecs", "zarr", "numpy", "imagecodecs")


def machine_facts() -> dict[str, Any]:
    """Processor, and the load before the run; ``busy`` where its times are no measure."""
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
    """Of Python, our packages, and the libraries that code."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        **library_versions(),
    }


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()
