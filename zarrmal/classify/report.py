"""Report on a classifier: accuracy, confusion matrix, misclassification rates, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassifierReport:
    """Results of a classifier on labelled cells.

    Parameters
    ----------
    class_names
        In the order of the class indices.
    confusion
        int64 (true class, predicted class): counts.
    unseen
        "slides" if the classifier was trained on none of the cells' slides; "cells" if slides are
        not known and it was trained on none of the cells; "" if neither is known.
    calibration_error
        Expected calibration error of the probabilities, 15 bins; None if not measured.
    raw_calibration_error
        The same without the temperature.
    """

    class_names: tuple[str, ...]
    confusion: NDArray[np.int64]
    unseen: str
    calibration_error: float | None = None
    raw_calibration_error: float | None = None

    @classmethod
    def of(
        cls,
        class_names: tuple[str, ...],
        true: NDArray[np.uint8],
        predicted: NDArray[np.uint8],
        unseen: str,
        calibration_error: float | None = None,
        raw_calibration_error: float | None = None,
    ) -> ClassifierReport:
        """Count the cells of each pair of true and predicted class."""
        n = len(class_names)
        keys = true.astype(np.int64) * n + predicted
        confusion = np.bincount(keys, minlength=n * n).reshape(n, n)
        return cls(
            class_names=class_names,
            confusion=confusion,
            unseen=unseen,
            calibration_error=calibration_error,
            raw_calibration_error=raw_calibration_error,
        )

    @property
    def accuracy(self) -> float:
        """Share of cells with the right class."""
        return float(np.trace(self.confusion) / max(self.confusion.sum(), 1))

    @property
    def rates(self) -> NDArray[np.float64]:
        """float64 (true class i, predicted class j): P(Cj|Si) in the paper's symbols."""
        sums = self.confusion.sum(axis=1, keepdims=True)
        rates: NDArray[np.float64] = self.confusion / np.maximum(sums, 1)
        return rates

    def to_json(self) -> dict[str, Any]:
        """JSON-able, for ``--json``."""
        return {
            "classes": list(self.class_names),
            "unseen": self.unseen,
            "n_cells": int(self.confusion.sum()),
            "accuracy": self.accuracy,
            "confusion": self.confusion.tolist(),
            "misclassification": {
                f"P(C{j}|S{i})": float(self.rates[i, j])
                for i in range(len(self.class_names))
                for j in range(len(self.class_names))
                if i != j
            },
            "calibration_error": self.calibration_error,
            "raw_calibration_error": self.raw_calibration_error,
        }
