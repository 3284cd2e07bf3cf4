"""Fuzz one family of inputs, or all: ``python codecs/fuzz/fuzz.py chunk --seconds 60``.

Atheris guides the mutations by coverage; ``--plain`` mutates the seeds without it, as under the
sanitizers. The current input is in a file that outlives the process, so a crash, a hang and
excessive memory are reported like any other finding: in base64, with the command that repeats it.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import mmap
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SLOT_BYTES = 1 << 20
MAX_INPUT_BYTES = 1 << 16
FAMILIES = ("chunk", "model", "config")
HANG_SECONDS = 60.0
HANG_FACTOR = 10  # wall time, and the machine may be busy
MAX_RESIDENT_BYTES = 3 << 30
TOO_LARGE = f"more than {MAX_RESIDENT_BYTES:,} bytes of memory"
HERE = Path(__file__).parent


class Slot:
    """A memory-mapped file with the current input and the number of inputs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.write_bytes(bytes(SLOT_BYTES))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SLOT_BYTES)

    def put(self, data: bytes) -> None:
        """Write the next input."""
        data = data[: SLOT_BYTES - 16]
        self._map[16 : 16 + len(data)] = data
        self._map[:16] = (self.count() + 1).to_bytes(8, "little") + len(data).to_bytes(8, "little")

    def count(self) -> int:
        """Number of inputs so far."""
        return int.from_bytes(self._map[:8], "little")

    def get(self) -> bytes:
        """The current input."""
        return self._map[16 : 16 + int.from_bytes(self._map[8:16], "little")]


def report(family: str, data: bytes, what: str) -> str:
    """A finding and the command that repeats it."""
    text = base64.b64encode(data).decode()
    return (
        f"{family}: {what}\ninput of {len(data)} bytes in base64:\n{text}\n"
        f"repeat: python codecs/fuzz/fuzz.py {family} --input <base64, or a file>"
    )


def watch(family: str, arguments: argparse.Namespace) -> int:
    """Run one family in a process of its own; return 0, or print a finding and return 1.

    The traces of atheris take gigabytes in minutes. So an input at which the process exceeds its
    memory is run alone; if the law holds there, a new process continues.
    """
    stop = time.monotonic() + arguments.seconds
    n_inputs = 0
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(arguments.corpus or folder) / f"corpus-{family}"
        corpus.mkdir(parents=True, exist_ok=True)
        for part in itertools.count():
            slot = Slot(Path(folder) / f"slot-{part}")
            left = max(1, round(stop - time.monotonic()))
            command = [sys.executable, str(HERE / "worker.py"), family, str(slot.path)]
            command += [str(corpus), str(left), str(arguments.seed + part)]
            command += ["plain"] if arguments.plain else []
            what = _wait(subprocess.Popen(command), slot)
            n_inputs += slot.count()
            atheris_alone = what == TOO_LARGE and _holds_alone(family, slot.get(), Path(folder))
            if atheris_alone:
                what = ""
            if not atheris_alone or time.monotonic() >= stop:
                break
        took = arguments.seconds + time.monotonic() - stop
        print(f"{family}: {n_inputs:,} inputs in {took:.0f} s, {part + 1} processes")
        if what:
            print(report(family, slot.get(), what), flush=True)
        return int(bool(what))


def _holds_alone(family: str, data: bytes, folder: Path) -> bool:
    """Whether the law, with its bounds on time and memory, holds in a fresh process."""
    path = folder / "input"
    path.write_bytes(data)
    command = [sys.executable, str(HERE / "fuzz.py"), family, "--input", str(path)]
    try:
        alone = subprocess.run(command, capture_output=True, timeout=HANG_SECONDS * HANG_FACTOR)
    except subprocess.TimeoutExpired:
        return False
    return alone.returncode == 0


def _wait(worker: subprocess.Popen[bytes], slot: Slot) -> str:
    """Wait for the worker; return what went wrong, or an empty string."""
    last_count, since = -1, time.monotonic()
    while True:
        try:
            status = worker.wait(0.5)
        except subprocess.TimeoutExpired:
            status = None
        if status is not None:
            return f"the process ended with {status}" if status else ""
        count = slot.count()
        if count != last_count:
            last_count, since = count, time.monotonic()
        what = ""
        if time.monotonic() - since > HANG_SECONDS * HANG_FACTOR:
            what = "an input takes too long"
        elif resident_bytes(worker.pid) > MAX_RESIDENT_BYTES:
            what = TOO_LARGE
        if what:
            worker.kill()
            worker.wait()
            return what


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 where the system does not report it."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def repeat(family: str, text: str) -> int:
    """Run one input; its error is not caught."""
    import worker

    data = Path(text).read_bytes() if Path(text[:200]).is_file() else base64.b64decode(text)
    worker.check(family)(data)
    print("the law holds")
    return 0


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=[*FAMILIES, "all"])
    parser.add_argument("--seconds", type=int, default=60, help="total for all families")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", help="folder for inputs; a temporary one by default")
    parser.add_argument("--plain", action="store_true", help="without atheris")
    parser.add_argument("--input", help="base64 or a file: run only this input")
    arguments = parser.parse_args()
    families = FAMILIES if arguments.family == "all" else (arguments.family,)
    if arguments.input:
        return repeat(families[0], arguments.input)
    arguments.seconds = max(1, arguments.seconds // len(families))
    return max(watch(family, arguments) for family in families)


if __name__ == "__main__":
    sys.exit(main())
