"""The models and the classifier of a study: given, of an earlier run, or trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from zarrmal_codecs import Model

from ... import choose
from ...classify.network import CellClassifier
from ...progress import Progress
from ...sources import Source
from ...study.cache import Cache, cache_key
from ...study.cells import Split
from ...study.experiment import Classified
from ...study.measure.classifier import classifier_rates, predicted_classes
from ...study.model import StudyModel
from ..benchmark.models import reused_or_trained
from ..terminal.console import say

QUICK_EPOCHS = 10
QUICK_MINUTES = 0.4
SAMPLE_CELLS = 64
CLASSIFIER_MINUTES = 6.0
QUICK_CLASSIFIER_MINUTES = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOptions:
    """What the caller study_options of the training.

    Parameters
    ----------
    hidden, epochs
        Of profile paper.
    all_cells
        Train it on all cells of the training slides too.
    effort, minutes, steps
        Of profile hybrid.
    """

    hidden: tuple[int, ...]
    epochs: int | None
    all_cells: bool
    effort: str
    minutes: float
    steps: int | None
    seed: int
    quick: bool


def study_models(
    given: Sequence[tuple[Path, Model]],
    split: Split,
    study_options: StudyOptions,
    folder: Path,
    progress: Progress,
) -> list[StudyModel]:
    """The given ones, and one of each profile of which none is given."""
    names = [name_of(path, [path for path, _ in given]) for path, _ in given]
    models = [
        StudyModel(name=name, model=model, given=True, training=f"given as {path.name}")
        for name, (path, model) in zip(names, given, strict=True)
    ]
    profiles = {model.profile for _, model in given}
    if profiles >= {"paper", "hybrid"} and not study_options.all_cells:
        return _paper_first(models)
    learn = choose.import_learn()
    epochs = study_options.epochs or (QUICK_EPOCHS if study_options.quick else None)
    common: dict[str, Any] = {"seed": study_options.seed}
    trained = []
    if "paper" not in profiles:
        options = learn.TrainOptions(
            hidden=study_options.hidden,
            epochs=epochs,
            max_cells=split.paper.n_cells,
            validation=0.0,  # as in the paper: every chosen cell is trained on
            **common,
        )
        trained.append(("paper", options, split.paper))
    if study_options.all_cells:
        options = learn.TrainOptions(hidden=study_options.hidden, epochs=epochs, **common)
        trained.append(("paper, all cells", options, split.training))
    if "hybrid" not in profiles:
        options = learn.HybridOptions(
            effort=study_options.effort,
            minutes=QUICK_MINUTES if study_options.quick else study_options.minutes,
            steps=study_options.steps,
            validation=0.0,  # the unseen slides judge
            **common,
        )
        trained.append(("hybrid", options, split.training))
    for name, options, cells in trained:
        file_name = _file_name(name, options, cells)
        model = reused_or_trained(file_name, options, cells, folder, progress)
        models.append(StudyModel(name=name, model=model, given=False, training=_description(cells)))
    return _paper_first(models)


def _paper_first(models: list[StudyModel]) -> list[StudyModel]:
    return sorted(models, key=lambda one: one.model.profile != "paper")


def name_of(path: Path, all_paths: Sequence[Path]) -> str:
    """The file's name without its end; with its folder where two are alike."""
    stems = [other.stem for other in all_paths]
    return path.stem if stems.count(path.stem) == 1 else str(path.with_suffix(""))


def _file_name(name: str, options: Any, cells: Source) -> str:
    """Another one for other options or cells, so that a second study finds its own model."""
    settings = {k: v for k, v in asdict(options).items() if k != "device"}
    return f"{name.replace(', ', '-').replace(' ', '-')}-{cache_key(settings, _sample(cells))}"


def _sample(cells: Source) -> str:
    """Enough of the cells to tell others from them."""
    rows = np.unique(np.linspace(0, cells.n_cells - 1, SAMPLE_CELLS).astype(np.int64))
    assert cells.labels is not None
    return cache_key(cells.n_cells, cells.read(rows).tobytes(), cells.labels.tobytes())


def _description(cells: Source) -> str:
    assert cells.labels is not None
    assert cells.groups is not None
    counts = np.bincount(cells.labels, minlength=len(cells.class_names)).tolist()
    of_classes = ", ".join(f"{n:,} {name}" for n, name in zip(counts, cells.class_names))
    return f"{of_classes} of {len(np.unique(cells.groups))} slides"


def study_classifier(
    given: CellClassifier | None, split: Split, source: Source, study_options: StudyOptions,
    cache: Cache, folder: Path, progress: Progress,
) -> Classified:  # fmt: skip
    """Train or take a classifier, and ask it about every unseen cell."""
    name = "given"
    classifier = given
    if classifier is None:
        name = "trained on the training slides"
        classifier = _trained_classifier(split, study_options, folder, progress)
    key = cache_key("predicted 1", classifier.digest, _sample(split.unseen))
    predictions = cache.arrays(
        "predicted",
        key,
        lambda: {"classes": predicted_classes(classifier, split.unseen, progress)},
    )
    predicted = np.zeros(source.n_cells, np.uint8)
    predicted[split.unseen_rows] = predictions["classes"]
    return Classified(
        rates=classifier_rates(name, split.unseen, predictions["classes"]), predicted=predicted
    )


def _trained_classifier(
    split: Split, study_options: StudyOptions, folder: Path, progress: Progress
) -> CellClassifier:
    choose.import_learn()
    from ...learn.classifier import ClassifierOptions, train_classifier

    options = ClassifierOptions(
        seed=study_options.seed,
        unseen=0.0,  # the unseen slides are not in these cells
        minutes=QUICK_CLASSIFIER_MINUTES if study_options.quick else CLASSIFIER_MINUTES,
    )
    key = cache_key(asdict(options), _sample(split.training))
    path = folder / f"classifier-{key}.zcls"
    if path.exists():
        say(f"using {path} of an earlier run")
        return CellClassifier.load(path)
    checkpoint = path.with_name(path.name + ".checkpoint")
    result = train_classifier(split.training, options, checkpoint=checkpoint, progress=progress)
    result.classifier.save(path)
    say(f"classifier saved as {path}")
    return result.classifier
