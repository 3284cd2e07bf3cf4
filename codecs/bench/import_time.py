"""Time that `import zarrmal_codecs` adds to `import zarr`: ``python codecs/bench/import_time.py``.

Takes the best of several fresh processes, with compiled bytecode. Processor time hardly depends on
other load of the machine, wall time does. ``--modules`` lists the slowest modules.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

CLOCKS = """
import json, time
def now(): return time.process_time(), time.perf_counter()
start = now()
import zarr
middle = now()
import zarrmal_codecs
end = now()
print(json.dumps([b - a for a, b in zip(start + middle, middle + end)]))
"""


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a fresh process of this Python."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment)


def own_times(environment: dict[str, str], code: str) -> dict[str, float]:
    """Module -> milliseconds of its own code."""
    lines = run(environment, "-X", "importtime", "-c", code).stderr.splitlines()
    rows = [line.removeprefix("import time:").split("|") for line in lines if line.count("|") == 2]
    return {name.strip(): int(own) / 1000 for own, _, name in rows[1:]}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=20, help="number of processes")
    parser.add_argument("--modules", action="store_true", help="list the slowest modules")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        run(environment, "-c", CLOCKS)  # writes the bytecode
        measured = [
            json.loads(run(environment, "-c", CLOCKS).stdout) for _ in range(options.repeat)
        ]
        best = [1000 * min(times) for times in zip(*measured, strict=True)]
        share = [100 * ours / zarr for zarr, ours in zip(best[:2], best[2:], strict=True)]
        print(f"best of {options.repeat}, ms           processor    wall")
        print(f"import zarr                 {best[0]:8.1f} {best[1]:8.1f}")
        print(f"then import zarrmal_codecs  {best[2]:8.1f} {best[3]:8.1f}")
        print(f"per cent of zarr's          {share[0]:8.1f} {share[1]:8.1f}")
        if options.modules:
            before = own_times(environment, "import zarr")
            after = own_times(environment, "import zarr; import zarrmal_codecs")
            added = {name: ms for name, ms in after.items() if name not in before}
            for name in sorted(added, key=added.__getitem__, reverse=True)[:12]:
                print(f"{added[name]:7.1f} {name}")


if __name__ == "__main__":
    main()
