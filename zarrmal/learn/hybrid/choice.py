"""Autoencoder and number of groups by total description length, found by short trainings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from ...progress import Progress
from . import fit
from .data import Data
from .export import export
from .options import EFFORTS, GROUP_CANDIDATES, MORE_GROUPS, SAE_SIZES, HybridOptions, SaeSize
from .regroup import BASE64, Regroup, group_bits, group_names, telling_bits

PILOT_STEPS = 500
PILOT_SHARE = 0.1  # of the minutes, each trial
GROUPS_PILOT_SHARE = 0.05  # the same where the number of groups is to be found: more trials


@dataclass(frozen=True, slots=True, kw_only=True)
class SaeTrial:
    """What an autoencoder of some size costs and gains, by a short training of the small network.

    Parameters
    ----------
    size
        Of the autoencoder.
    bits_per_pixel
        Residue and latents, of cells kept out of the trial.
    model_bytes
        As stored, in base64.
    total_bytes
        All three, for ``n_cells``.
    """

    size: str
    bits_per_pixel: float
    model_bytes: int
    n_cells: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTrial:
    """What a number of groups costs and gains, by a short training of the small network.

    Parameters
    ----------
    n_groups
        How many.
    bits_per_pixel
        Residue and latents, of cells kept out of the trial, each in its best group.
    telling_bits
        Of a cell: entropy of how many cells each group has.
    model_bytes
        As stored, in base64.
    total_bytes
        All of it, for ``n_cells``.
    """

    n_groups: int
    bits_per_pixel: float
    telling_bits: float
    model_bytes: int
    n_cells: int
    total_bytes: int


AnyTrial = TypeVar("AnyTrial", SaeTrial, GroupTrial)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choosing:
    """What all trials of a run share.

    Parameters
    ----------
    n_cells
        How many the model is for.
    budget
        Seconds of the whole run, or None.
    place
        The run's checkpoint: trials are kept beside it.
    """

    data: Data
    options: HybridOptions
    n_cells: int
    budget: float | None
    place: Path | None
    progress: Progress

    def size(self) -> tuple[SaeSize, tuple[SaeTrial, ...]]:
        """The autoencoder with the least total, and what was tried.

        Where classes are learned it is tried with one class: trials of both together would take
        as many trainings as there are pairs.
        """
        if self.options.sae is not None:
            return SAE_SIZES[self.options.sae], ()
        trials = self._kept("sizes", SaeTrial, self._try_sizes)
        return SAE_SIZES[trials.index(least(trials))], trials

    def groups(
        self, size: SaeSize, sizes: Sequence[SaeTrial]
    ) -> tuple[int, tuple[GroupTrial, ...]]:
        """The number of groups with the least total, and what was tried.

        Parameters
        ----------
        size, sizes
            The autoencoder, and the trials it was chosen by: one of them is that of one group.
        """
        wish = self.options.classes
        if isinstance(wish, int):
            return wish, ()
        trials = self._kept("groups", GroupTrial, lambda: self._try_groups(size, sizes))
        return least(trials).n_groups, trials

    def forget(self) -> None:
        """Remove what was kept: the run is over."""
        for kind in ("sizes", "groups"):
            if self.place is not None:
                self._beside(kind).unlink(missing_ok=True)

    def _try_sizes(self) -> tuple[SaeTrial, ...]:
        out = []
        for index, size in enumerate(SAE_SIZES):
            task = f"trying autoencoder {index + 1}/{len(SAE_SIZES)}"
            rate, n_bytes, _ = self._pilot(size, None, task)
            total = self._total(rate, 0.0, n_bytes)
            out.append(
                SaeTrial(
                    size=str(size),
                    bits_per_pixel=rate,
                    model_bytes=n_bytes,
                    n_cells=self.n_cells,
                    total_bytes=total,
                )
            )
        return tuple(out)

    def _try_groups(self, size: SaeSize, sizes: Sequence[SaeTrial]) -> tuple[GroupTrial, ...]:
        out: list[GroupTrial] = []
        known = {one.size: (one.bits_per_pixel, one.model_bytes, 0.0) for one in sizes}
        wanted = [*GROUP_CANDIDATES, *MORE_GROUPS]
        for n in wanted:
            if 2 * n > len(self.data.rows) and n > 1:
                break
            if n > GROUP_CANDIDATES[-1] and least(out) is not out[-1]:
                break  # no more gain
            found = known.get(str(size)) if n == 1 else None
            rate, n_bytes, told = found or self._pilot(size, n, f"trying {n} groups")
            total = self._total(rate, told, n_bytes)
            out.append(
                GroupTrial(
                    n_groups=n,
                    bits_per_pixel=rate,
                    telling_bits=told,
                    model_bytes=n_bytes,
                    n_cells=self.n_cells,
                    total_bytes=total,
                )
            )
        return tuple(out)

    def _pilot(self, size: SaeSize, n_groups: int | None, task: str) -> tuple[float, int, float]:
        """Bits per (y, x) of the kept cells, bytes of the model, bits of telling the group."""
        data, options, effort = self.data, self.options, EFFORTS["fast"]
        regroup = None if n_groups is None else Regroup(data, n_groups, options.seed)
        names = data.names if n_groups is None else group_names(n_groups)
        torch.manual_seed(options.seed)
        network = fit.HybridNetwork(data.training, len(names), effort, size, data.order)
        network = network.to(data.device)
        steps = min(PILOT_STEPS, options.steps or PILOT_STEPS)
        share = GROUPS_PILOT_SHARE if options.classes == "auto" else PILOT_SHARE
        seconds = None if self.budget is None else share * self.budget
        state = fit.begin(network, effort)
        for done, total, note in fit.run(state, data.training, effort, steps, seconds, regroup):
            self.progress(task, done, total, note)
        told = 0.0
        if n_groups is not None:
            groups = group_bits(network, data, data.kept_cells).argmin(axis=1)
            data.kept.classes.copy_(torch.from_numpy(groups))
            told = telling_bits(groups)
        model = export(network, names, data.cell_shape, {})
        network.look_at(data.kept)
        rows = torch.arange(len(data.kept_cells), device=data.device)
        rate = fit.evaluate(network, data.kept, rows, integer=True)
        return rate, round(BASE64 * model.n_bytes), told

    def _total(self, rate: float, told: float, n_bytes: int) -> int:
        area = self.data.cell_shape[0] * self.data.cell_shape[1]
        return round((rate * area + told) * self.n_cells / 8) + n_bytes

    def _kept(
        self, kind: str, form: type[AnyTrial], make: Callable[[], tuple[AnyTrial, ...]]
    ) -> tuple[AnyTrial, ...]:
        """Trials of an interrupted run, or new ones."""
        key = self._key()
        if self.place is not None and self._beside(kind).exists():
            tree: dict[str, Any] = json.loads(self._beside(kind).read_text())
            if tree["key"] == key:
                return tuple(form(**entry) for entry in tree["trials"])
        trials = make()
        if self.place is not None:
            tree = {"key": key, "trials": [asdict(trial) for trial in trials]}
            self._beside(kind).write_text(json.dumps(tree))
        return trials

    def _beside(self, kind: str) -> Path:
        assert self.place is not None
        return self.place.with_name(f"{self.place.name}.{kind}")

    def _key(self) -> str:
        data = self.data
        what = (self.options, self.n_cells, data.names, data.training.size)
        digest = hashlib.sha256(repr(what).encode())
        digest.update(data.kept_cells.tobytes())
        return digest.hexdigest()


def least(trials: Sequence[AnyTrial]) -> AnyTrial:
    """The trial with the least total, the first of equals."""
    return min(trials, key=lambda trial: trial.total_bytes)
