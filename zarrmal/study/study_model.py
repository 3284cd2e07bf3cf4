"""A model of a study, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from zarrmal_codecs import Model
from zarrmal_codecs.coder import coder_for

from ..classify.assignment import class_index
from ..errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyModel:
    """A model, and what is known of it.

    Parameters
    ----------
    name
        "paper", "paper, all cells", "hybrid", or the file's name.
    given
        Whether it came from a file.
    training
        What it was trained on, in words.
    """

    name: str
    model: Model
    given: bool
    training: str

    def places(self, class_names: tuple[str, ...]) -> list[int]:
        """Of the source's classes among the model's.

        Raises
        ------
        InputError
            If it lacks one.
        """
        found = [class_index(name, self.model.class_names) for name in class_names]
        known = [place for place in found if place is not None]
        if len(known) != len(found) or len(set(known)) != len(known):
            raise InputError(
                f"the cells are labelled {', '.join(map(repr, class_names))}, the model "
                f"{self.name} knows {', '.join(map(repr, self.model.class_names))}: a study needs "
                f"a model of each class"
            )
        return known

    def refuse_unfit(self, class_names: tuple[str, ...], cell_shape: tuple[int, ...]) -> None:
        """InputError before a long run, not after it."""
        self.places(class_names)
        if not coder_for(self.model).fits(cell_shape):
            raise InputError(
                f"the cells are {' x '.join(map(str, cell_shape))}, the model {self.name} is for "
                f"{' x '.join(map(str, self.model.cell_shape))}: use --size or --channel"
            )
