"""The codec's configuration in array metadata (FORMAT 5), for both Zarr formats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ..chunk.coder import Coder, coder_for, coder_from_base64
from ..constants import FORMAT_VERSION
from ..errors import CompatibilityError, ModelError
from ..model.model import Model
from ..model.strict_json import shown

SHA256_PATTERN = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What an array's metadata hold of a codec; cheap to compare, hash and print.

    Parameters
    ----------
    model
        The model's bytes in base64; empty for a codec without a model, which stores or deflates.
    sha256
        The model's digest; empty when the model is.
    """

    model: str = field(repr=False, default="", hash=False)  # sha256 suffices for the hash
    sha256: str = ""

    def __post_init__(self) -> None:
        if bool(self.model) != bool(self.sha256):
            raise ModelError(
                "a codec's configuration needs both `model` and `sha256`, or neither, not "
                f"{len(self.model)} characters of model and sha256 {self.sha256!r}"
            )
        if self.sha256 and not SHA256_PATTERN.fullmatch(self.sha256):
            raise ModelError(f"sha256 must be 64 lower-case hexadecimal digits: {self.sha256!r}")

    @classmethod
    def of(cls, model: Model | None) -> Self:
        """The configuration of a model, or of none; TypeError for anything else."""
        if model is None:
            return cls()
        if not isinstance(model, Model):
            raise TypeError(
                f"a codec wants a Model or None, not a {type(model).__name__}: Model.load(path) "
                f"reads a model file"
            )
        coder_for(model)
        return cls(model=model.to_base64(), sha256=model.digest)

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Self:
        """Parse the JSON object of zarr.json or .zarray.

        Raises
        ------
        CompatibilityError, ModelError
        """
        if not isinstance(tree, Mapping):
            raise CompatibilityError(
                f"the zarrmal codec's configuration must be an object, not a {type(tree).__name__}"
            )
        version = tree.get("version", FORMAT_VERSION)
        if type(version) is not int or version < 1:
            raise CompatibilityError(
                f"the zarrmal codec's version must be 1..{FORMAT_VERSION}, not {shown(version)}"
            )
        if version > FORMAT_VERSION:
            raise CompatibilityError(
                f"the array was written with version {shown(version)} of the zarrmal codec, this "
                f"software reads up to {FORMAT_VERSION}: upgrade zarrmal-codecs"
            )
        unknown = set(tree) - {"version", "model", "sha256"}
        if unknown:
            raise CompatibilityError(
                f"the zarrmal codec does not know {sorted(unknown)} in its "
                f"configuration: upgrade zarrmal-codecs"
            )
        texts = {key: tree[key] for key in ("model", "sha256") if key in tree}
        for key, value in texts.items():
            if not isinstance(value, str):
                raise ModelError(
                    f"{key} in the zarrmal codec's configuration must be a string, "
                    f"not {type(value).__name__}"
                )
        return cls(**texts)

    def to_json(self) -> dict[str, Any]:
        """Inverse of from_json."""
        return {"version": FORMAT_VERSION, "model": self.model, "sha256": self.sha256}

    def coder(self) -> Coder | None:
        """The process-wide coder of the model; None without a model.

        Raises
        ------
        ZarrmalError
            If the model is damaged, unknown or not the one that sha256 names.
        """
        return coder_from_base64(self.model, self.sha256) if self.model else None

    def describe(self) -> str:
        """A short text for repr, without the model's bytes."""
        return f"sha256={self.sha256[:12]}…" if self.sha256 else "no model"
