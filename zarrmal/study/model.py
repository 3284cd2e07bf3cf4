"""A model of a study."""

from __future__ import annotations

from dataclasses import dataclass

from zarrmal_codecs import Model
from zarrmal_codecs.chunk.coder import coder_for

from ..classify.assignment import class_index
from ..errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyModel:
    """A model and its origin.

    Parameters
    ----------
    name
        "paper", "paper, all cells", "hybrid", or the file's name.
    given
        Whether it came from a file.
    training
        Description of its training cells.
    """

    name: str
    model: Model
    given: bool
    training: str

    def class_indices(self, class_names: tuple[str, ...]) -> list[int]:
        """Index of each of the source's classes among the model's classes.

        Raises
        ------
        InputError
            If the model lacks a class.
        """
        all_indices = [class_index(name, self.model.class_names) for name in class_names]
        indices = [index for index in all_indices if index is not None]
        if len(set(indices)) != len(class_names):
            raise InputError(
                f"the cells are labelled {', '.join(map(repr, class_names))}, the model "
                f"{self.name} knows {', '.join(map(repr, self.model.class_names))}: a study needs "
                f"a model of each class"
            )
        return indices

    def refuse_unfit(self, class_names: tuple[str, ...], cell_shape: tuple[int, ...]) -> None:
        """Check the model before a long run.

        Raises
        ------
        InputError
            If it does not fit the classes or the shape of the cells.
        """
        self.class_indices(class_names)
        if not coder_for(self.model).fits(cell_shape):
            raise InputError(
                f"the cells are {' x '.join(map(str, cell_shape))}, the model {self.name} is for "
                f"{' x '.join(map(str, self.model.cell_shape))}: use --size or --channel"
            )
