"""Fuzz one family of inputs, or all: ``python codecs/fuzz/fuzz.py chunk --seconds 60``.

Atheris guides by coverage; ``--plain`` mutates the seeds without it, as under the sanitizers. The
input at work lies in a file that outlives the process, so that a crash, a hang and a memory that
grows too far are told like any other finding: in base64, with the command that repeats it.
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
HANG_FACTOR = 10  # the machine may be busy: of its time, not of the process's
MAX_RESIDENT_BYTES = 3 << 30
TOO_LARGE = f"more than {MAX_RESIDENT_BYTES:,} bytes of memory"
HERE = Path(__file__).parent


class Slot:
    """A file in memory: which input is at work, and how many were before it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.write_bytes(bytes(SLOT_BYTES))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SLOT_BYTES)

    def put(self, data: bytes) -> None:
        """The next input."""
        kept = data[: SLOT_BYTES - 16]
        self._map[16 : 16 + len(kept)] = kept
        self._map[:16] = (self.count() + 1).to_bytes(8, "little") + len(kept).to_bytes(8, "little")

    def count(self) -> int:
        """How many there were."""
        return int.from_bytes(self._map[:8], "little")

    def get(self) -> bytes:
        """The one at work."""
        return self._map[16 : 16 + int.from_bytes(self._map[8:16], "little")]


def told(family: str, data: bytes, what: str) -> str:
    """A finding and how to repeat it."""
    text = base64.b64encode(data).decode()
    return (
        f"{family}: {what}\ninput of {len(data)} bytes in base64:\n{text}\n"
        f"repeat: python codecs/fuzz/fuzz.py {family} --input <base64, or a file>"
    )


def watch(family: str, arguments: argparse.Namespace) -> int:
    """Run one family in a process of its own; 0, or 1 with the finding printed.

    Atheris keeps memory of what it has traced, gigabytes in minutes. So an input at which the
    process has grown too large is tried alone; if the law holds there, another process goes on.
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
            print(told(family, slot.get(), what), flush=True)
        return int(bool(what))


def _holds_alone(family: str, data: bytes, folder: Path) -> bool:
    """The law, with its bounds on time and memory, in a fresh process."""
    path = folder / "input"
    path.write_bytes(data)
    command = [sys.executable, str(HERE / "fuzz.py"), family, "--input", str(path)]
    try:
        alone = subprocess.run(command, capture_output=True, timeout=HANG_SECONDS * HANG_FACTOR)
    except subprocess.TimeoutExpired:
        return False
    return alone.returncode == 0


def _wait(worker: subprocess.Popen[bytes], slot: Slot) -> str:
    """Empty where the worker ended well, else what went wrong."""
    seen, since = -1, time.monotonic()
    while True:
        try:
            status = worker.wait(0.5)
        except subprocess.TimeoutExpired:
            status = None
        if status is not None:
            return f"the process ended with {status}" if status else ""
        count = slot.count()
        if count != seen:
            seen, since = count, time.monotonic()
        what = ""
        if time.monotonic() - since > HANG_SECONDS * HANG_FACTOR:
            what = "an input takes longer than it may"
        elif resident_bytes(worker.pid) > MAX_RESIDENT_BYTES:
            what = TOO_LARGE
        if what:
            worker.kill()
            worker.wait()
            return what


def resident_bytes(pid: int) -> int:
    """Memory of a process; 0 where the system does not tell."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def repeat(family: str, text: str) -> int:
    """One input, its error shown in full."""
    import worker

    data = Path(text).read_bytes() if Path(text[:200]).is_file() else base64.b64decode(text)
    worker.check(family)(data)
    print("the law holds")
    return 0


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=[*FAMILIES, "all"])
    parser.add_argument("--seconds", type=int, default=60, help="of all families together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", help="folder to keep inputs in; else one that is thrown away")
    parser.add_argument("--plain", action="store_true", help="without atheris")
    parser.add_argument("--input", help="base64 or a file: only this one")
    arguments = parser.parse_args()
    families = FAMILIES if arguments.family == "all" else (arguments.family,)
    if arguments.input:
        return repeat(families[0], arguments.input)
    arguments.seconds = max(1, arguments.seconds // len(families))
    return max(watch(family, arguments) for family in families)


if __name__ == "__main__":
    sys.exit(main())
