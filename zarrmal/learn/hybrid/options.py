"""Options of hybrid training: efforts, sizes of the autoencoder, numbers of groups."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from zarrmal_codecs.constants import MAX_CLASSES

from ...errors import InputError

EffortName = Literal["fast", "default", "max"]
EFFORT_NAMES: tuple[EffortName, ...] = get_args(EffortName)
ClassesOption = int | Literal["auto"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How large the context network is, and how long it is trained.

    Parameters
    ----------
    n_causal, n_flags, n_full
        Neighbours coded before that are inputs, how many of them also with a flag for blank, and
        neighbours in each plane coded before (FORMAT 6.5).
    n_coverage
        Pixels whose coverage is an input, where the cells have silhouettes.
    widths
        Hidden units of the two layers.
    n_components
        Logistics in the mixture.
    n_steps
        Batches.
    learning_rate
        At its peak.
    """

    n_causal: int
    n_flags: int
    n_full: int
    n_coverage: int
    widths: tuple[int, int]
    n_components: int
    n_steps: int
    learning_rate: float


EFFORTS: dict[EffortName, Effort] = {
    "fast": Effort(
        n_causal=6,
        n_flags=2,
        n_full=8,
        n_coverage=5,
        widths=(8, 8),
        n_components=1,
        n_steps=6_000,
        learning_rate=8e-3,
    ),
    "default": Effort(
        n_causal=24,
        n_flags=12,
        n_full=12,
        n_coverage=25,
        widths=(32, 32),
        n_components=3,
        n_steps=8_000,
        learning_rate=7e-3,
    ),
    "max": Effort(
        n_causal=40,
        n_flags=16,
        n_full=20,
        n_coverage=25,
        widths=(64, 48),
        n_components=4,
        n_steps=8_000,
        learning_rate=5e-3,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SaeSize:
    """Latents and hidden units of the autoencoder; none of either is no autoencoder."""

    n_latents: int
    n_hidden: int

    def __str__(self) -> str:
        return f"{self.n_latents} latents, {self.n_hidden} hidden" if self.n_latents else "none"


SAE_SIZES = (
    SaeSize(n_latents=0, n_hidden=0),
    SaeSize(n_latents=6, n_hidden=16),
    SaeSize(n_latents=10, n_hidden=32),
)
"""Candidates of the choice by total description length."""

GROUP_CANDIDATES = (1, 2, 3, 4)
MORE_GROUPS = (6, 8)  # each is tried only if the number before it was the best so far


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridOptions:
    """Options of training the profile `hybrid`.

    Parameters
    ----------
    effort
        "fast", "default" or "max".
    widths
        Hidden units of the context network's two layers, 1 to 512 each; None: the effort's.
    sae
        Index into SAE_SIZES, or None: the size with the smallest total of model, latents and
        residue for ``n_archive_cells``, found by short trial runs.
    n_archive_cells
        How many cells the model will be used for; None: as many as there are.
    minutes
        Time limit. The result then depends on the machine's speed.
    steps
        Number of steps; None: the effort's.
    seed
        The same seed, without ``minutes``, gives the same model bytes on the same machine.
    validation
        Share of the slides held out for the report, 0 <= validation < 1.
    max_cells
        At most so many training cells a class; in all, where classes are learned.
    classes
        None: the labels. A number, 1 <= classes <= 64: labels are ignored, and so many groups are
        learned, each cell in the one that codes it shortest. "auto": the number with the smallest
        total of model, residue and class, found by short trial runs.
    device
        "auto" takes a GPU when there is one.
    """

    effort: EffortName = "default"
    widths: tuple[int, int] | None = None
    sae: int | None = None
    n_archive_cells: int | None = None
    minutes: float | None = None
    steps: int | None = None
    seed: int = 0
    validation: float = 0.05
    max_cells: int = 100_000
    classes: ClassesOption = None
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.effort not in EFFORTS:
            raise InputError(
                f"effort must be one of {', '.join(EFFORT_NAMES)}, not {self.effort!r}"
            )
        widths = self.widths
        if widths is not None and not (len(widths) == 2 and 1 <= min(widths) <= max(widths) <= 512):
            raise InputError(
                f"the two layers have 1 to 512 hidden units each, as (32, 32), not {widths}"
            )
        if self.sae is not None and not 0 <= self.sae < len(SAE_SIZES):
            raise InputError(f"sae must be 0..{len(SAE_SIZES) - 1}, not {self.sae}")
        if self.minutes is not None and not self.minutes > 0:
            raise InputError(f"minutes must be above 0, not {self.minutes}")
        if self.steps is not None and self.steps < 1:
            raise InputError(f"at least 1 step is needed, not {self.steps}")
        if not 0 <= self.validation < 1:
            raise InputError(f"validation must be 0 <= share < 1, not {self.validation}")
        if self.max_cells < 2:
            raise InputError(f"at least 2 cells a class are needed, not {self.max_cells}")
        if isinstance(self.classes, int) and not 1 <= self.classes <= MAX_CLASSES:
            raise InputError(
                f"a model has 1 to {MAX_CLASSES} classes, not {self.classes}: choose fewer groups, "
                f"or 'auto'"
            )
        if not (self.classes is None or self.classes == "auto" or isinstance(self.classes, int)):
            raise InputError(f"classes must be a number, 'auto' or None, not {self.classes!r}")

    @property
    def context(self) -> Effort:
        """The context network, and how long it is trained."""
        effort = EFFORTS[self.effort]
        return effort if self.widths is None else replace(effort, widths=self.widths)
