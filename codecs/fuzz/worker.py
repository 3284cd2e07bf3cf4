"""The process that runs the inputs: guided by atheris, or with plain mutations of the seeds."""

from __future__ import annotations

import importlib.util
import os
import resource
import sys
import time
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

import chunk_mutator
import config_mutator
import laws
import model_mutator
import seeds
from fuzz import MAX_INPUT_BYTES, Slot

SLOW_SECONDS = 5.0
SLOW_FACTOR = 10  # of the sanitizers

PREFIXES = list(laws.CODERS)
LAWS = {"chunk": laws.chunk, "model": laws.model, "config": laws.config}
SEEDS = {
    "chunk": seeds.chunk_seeds, "model": seeds.model_seeds, "config": seeds.config_seeds,
}  # fmt: skip


def mutated(family: str, data: bytes, rng: Random) -> bytes:
    """A mutation of an input."""
    if family == "chunk":
        return chunk_mutator.mutate(data, rng, PREFIXES)
    return {"model": model_mutator, "config": config_mutator}[family].mutate(data, rng)


def check(family: str) -> Callable[[bytes], None]:
    """A family's law, with its bounds on time and memory."""
    law = LAWS[family]
    slow = SLOW_SECONDS * (SLOW_FACTOR if "asan" in os.environ.get("LD_PRELOAD", "") else 1)

    def run(data: bytes) -> None:
        started = time.process_time()
        before = _peak_bytes()
        allowed = law(data)
        seconds = time.process_time() - started
        laws.require(seconds < slow, f"{seconds:.1f} s of processor time")
        grown = _peak_bytes() - before
        laws.require(grown <= allowed, f"{grown:,} bytes more, {allowed:,} are allowed")

    return run


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def plain(family: str, run: Callable[[bytes], None], seconds: float, seed: int) -> None:
    """Run each seed, then mutations of seeds and of earlier mutations."""
    rng = Random(seed)
    inputs = list(SEEDS[family]())
    for data in inputs:
        run(data)
    n_seeds = len(inputs)
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        data = mutated(family, rng.choice(inputs), rng)[:MAX_INPUT_BYTES]
        run(data)
        if rng.random() < 0.02:  # some states need several mutations
            inputs[n_seeds:] = [*inputs[n_seeds:][-500:], data]


def guided(
    family: str, run: Callable[[bytes], None], seconds: int, seed: int, corpus: Path
) -> None:
    """Run inputs with atheris, which keeps those that reach new code and mutates them."""
    import atheris

    # Not with its import hook, which does not see packages installed as editable.
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "zarrmal_codecs" or name == "zarrmal.archive.layout":
            for function in _functions(module):
                atheris.instrument_func(function)
    for k, data in enumerate(SEEDS[family]()):
        (corpus / f"seed-{k:04}").write_bytes(data)

    def mutator(data: bytes, max_size: int, seed: int) -> bytes:
        return mutated(family, data, Random(seed))[:max_size]

    options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={MAX_INPUT_BYTES}"]
    options += ["-rss_limit_mb=0", "-timeout=600", "-verbosity=0"]
    options += [f"-artifact_prefix={corpus.parent}/"]
    atheris.Setup([sys.argv[0], str(corpus), *options], run, custom_mutator=mutator)
    atheris.Fuzz()


def _functions(module: types.ModuleType) -> list[types.FunctionType]:
    """Functions of a module and of its classes, without imported ones."""
    functions = []
    for each in vars(module).values():
        if getattr(each, "__module__", None) != module.__name__:
            continue
        inner = vars(each).values() if isinstance(each, type) else (each,)
        for value in inner:
            value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            if isinstance(value, types.FunctionType):
                functions.append(value)
    return functions


def main() -> None:
    """Run what fuzz.py asks for on the command line."""
    family, slot_path, corpus, seconds, seed, *how = sys.argv[1:]
    slot, law = Slot(Path(slot_path)), check(family)
    warnings.simplefilter("error")

    def run(data: bytes) -> None:
        slot.put(data)
        law(data)

    if how or importlib.util.find_spec("atheris") is None:
        plain(family, run, float(seconds), int(seed))
    else:
        guided(family, run, int(seconds), int(seed), Path(corpus))


if __name__ == "__main__":
    main()
