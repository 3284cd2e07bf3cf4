"""Autoencoder size and number of groups by total description length, from short trainings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from ...progress import Progress
from ..checkpoint import Checkpoint
from ..loop import fit
from .data import TrainingData
from .export import export
from .groups.groups import BASE64, Reassignment, bits_by_group, group_entropy, group_names
from .network import HybridNetwork
from .options import EFFORTS, GROUP_CANDIDATES, MORE_GROUPS, SAE_SIZES, SaeSize
from .training import HybridTraining, bits_per_pixel

TRIAL_STEPS = 500
SIZE_TRIAL_SHARE = 0.1
"""Of the time limit, for each trial."""

GROUP_TRIAL_SHARE = 0.05
"""The same where the number of groups is chosen as well: there are more trials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Total description length after a short training of the small network.

    Parameters
    ----------
    size
        Of the autoencoder.
    n_groups
        Number of classes.
    bits_per_pixel
        Residue and latents of the validation cells; of learned classes each in its best.
    group_entropy
        Bits of a cell that its learned class takes.
    model_bytes
        As stored, in base64.
    n_cells, total_bytes
        All three, for so many cells.
    """

    size: str
    n_groups: int
    bits_per_pixel: float
    group_entropy: float
    model_bytes: int
    n_cells: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRuns:
    """The trials of a training run.

    Parameters
    ----------
    seconds
        Time limit of the whole run, or None.
    checkpoint
        Holds the trials of an interrupted run.
    """

    data: TrainingData
    seconds: float | None
    checkpoint: Checkpoint
    progress: Progress

    def choose_size(self) -> tuple[SaeSize, tuple[Trial, ...]]:
        """The autoencoder with the smallest total, and the trials.

        Classes to be learned count as one here: trying all pairs of size and number of groups
        would take too many trainings.
        """
        if self.data.options.sae is not None:
            return SAE_SIZES[self.data.options.sae], ()
        trials = self._resumed("sizes", self._try_sizes)
        return SAE_SIZES[trials.index(smallest(trials))], trials

    def choose_n_groups(
        self, size: SaeSize, size_trials: Sequence[Trial]
    ) -> tuple[int, tuple[Trial, ...]]:
        """The number of groups with the smallest total, and the trials.

        Parameters
        ----------
        size, size_trials
            The autoencoder, and the trials of sizes: one of them is also the trial of one group.
        """
        if isinstance(self.data.options.classes, int):
            return self.data.options.classes, ()
        trials = self._resumed("groups", lambda: self._try_groups(size, size_trials))
        return smallest(trials).n_groups, trials

    def _try_sizes(self) -> tuple[Trial, ...]:
        return tuple(
            self._try(size, None, f"trying autoencoder {index + 1}/{len(SAE_SIZES)}")
            for index, size in enumerate(SAE_SIZES)
        )

    def _try_groups(self, size: SaeSize, size_trials: Sequence[Trial]) -> tuple[Trial, ...]:
        trials = [trial for trial in size_trials if trial.size == str(size)]
        for n in (*GROUP_CANDIDATES, *MORE_GROUPS):
            if n == 1 and trials:
                continue
            if 2 * n > len(self.data.rows) and n > 1:
                break
            if n > GROUP_CANDIDATES[-1] and smallest(trials) is not trials[-1]:
                break  # no more gain
            trials.append(self._try(size, n, f"trying {n} groups"))
        return tuple(trials)

    def _try(self, size: SaeSize, n_groups: int | None, task: str) -> Trial:
        """Train the small network and measure; without ``n_groups`` the classes are the data's."""
        data, options, effort = self.data, self.data.options, EFFORTS["fast"]
        reassign = None if n_groups is None else Reassignment(data, n_groups)
        names = data.names if n_groups is None else group_names(n_groups)
        torch.manual_seed(options.seed)
        network = HybridNetwork(data.training, len(names), effort, size, data.steps)
        network = network.to(data.training.classes.device)
        steps = min(TRIAL_STEPS, options.steps or TRIAL_STEPS)
        share = GROUP_TRIAL_SHARE if options.classes == "auto" else SIZE_TRIAL_SHARE
        seconds = None if self.seconds is None else share * self.seconds
        training = HybridTraining(network, data.training, effort, steps, reassign)
        fit(training, task, self.progress, seconds=seconds)
        entropy = 0.0
        if n_groups is not None:
            groups = bits_by_group(
                network, data, data.validation_cells, data.validation_silhouettes
            ).argmin(axis=1)
            data.validation.classes.copy_(torch.from_numpy(groups))
            entropy = group_entropy(groups)
        model = export(network, names, data.cell_shape, {})
        rate = bits_per_pixel(network, data.validation, integer=True)
        model_bytes = round(BASE64 * model.n_bytes)
        cell_bits = rate * data.cell_shape[0] * data.cell_shape[1] + entropy
        return Trial(
            size=str(size),
            n_groups=len(names),
            bits_per_pixel=rate,
            group_entropy=entropy,
            model_bytes=model_bytes,
            n_cells=data.n_cells,
            total_bytes=round(cell_bits * data.n_cells / 8) + model_bytes,
        )

    def _resumed(self, kind: str, run: Callable[[], tuple[Trial, ...]]) -> tuple[Trial, ...]:
        """Trials of an interrupted run, or new ones."""
        arrays = self.checkpoint.load(kind, self.data.digest)
        if arrays is not None:
            return tuple(Trial(**fields) for fields in json.loads(str(arrays["trials"])))
        trials = run()
        fields = json.dumps([asdict(trial) for trial in trials])
        self.checkpoint.save(kind, self.data.digest, {"trials": np.array(fields)})
        return trials


def smallest(trials: Sequence[Trial]) -> Trial:
    """The trial with the smallest total, the first of equals."""
    return min(trials, key=lambda trial: trial.total_bytes)
