"""Models included in the package: hybrid, classes parasitized and uninfected.

They were trained on red blood cells of the NIH / NLM malaria cell images: those for 50 x 50 on
22,604 cells of 160 slides, those for cells with masks on 17,207 of them, of 120 slides, so that the
other 40 are unseen; those for originals on 3,742 crops of 24 slides at their own size. That for
three channels of uint16 was trained on 2,475 cells of imaging flow cytometry (Jurkat cells, Blasi
et al. 2016).

nih-native-rgb also codes cells as the coefficients of the JPEG pictures that they were cut out of.
The weights for that were learned from 1,000 of the NIH crops, of 18 slides; from 288 single-cell
JPEG files of the PBC data set (Acevedo et al. 2020, "A dataset of microscopic peripheral blood
cell images", licensed under CC BY 4.0); from 25 fields of Chula RBC-12 (Chula PIC Lab 2021, MIT
licence); and from 400 pictures made of these, reduced and saved again with other tables and
samplings. They serve any camera, and can be moved to another model by `zarrmal train-lattice
--weights-from`. Its table of masks is that of nih50-rgb-masks: without one, what was cut off a cell
would count as errors of its coefficients.

Those for cells with masks also code cells whose masks are inferred from their edges
(zarrmal.infer), and are chosen for these where they take fewer bits.

All are of default effort but nih50-red-masks-fast. All but this, nih50-red-masks and
flow-cytometry have 64 and 48 hidden units, as the default effort had when they were trained, and
were converted from an earlier form of the model file: a run of their command gives a network of
the same shape, with weights of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from zarrmal_codecs import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """A model file of the package.

    Parameters
    ----------
    name
        Of the file.
    n_channels
        1 for grey cells, or one channel of RGB; 3.
    depth
        8 for cells of uint8, 16 for those of uint16.
    effort
        Of the training. No model of another than the default is chosen where none is named.
    trained_by
        The command. nih50-rgb.npz holds the cells, each resampled bilinearly to 50 x 50;
        nih50-silhouettes.npz their masks, at the size that they had before; nih-native/ holds the
        crops as they are, in a folder for each class; jurkat.npz the tiles 40 x 40 of the montages
        G1, S phase, prophase and metaphase of the data set's first experiment.
    lattice_by
        The command that then put in the weights for coefficients; None where there are none.
        pbc-jpeg-cells/ holds the files of PBC in a folder for each class, fields/ those of Chula.
    """

    name: str
    n_channels: int
    trained_by: str
    effort: str = "default"
    depth: int = 8
    lattice_by: str | None = None

    @cache  # noqa: B019 (there are eight)
    def load(self) -> Model | None:
        """The model; None where the installation lacks the file."""
        file = files(__package__) / self.name
        return Model.from_bytes(file.read_bytes()) if file.is_file() else None


SHIPPED = (
    Shipped(
        name="nih50-red.zmal",
        n_channels=1,
        trained_by="zarrmal train nih50-rgb.npz --channel red --validation 0 --units 64,48 "
        "--seed 0 -o nih50-red.zmal",
    ),
    Shipped(
        name="nih50-rgb.zmal",
        n_channels=3,
        trained_by="zarrmal train nih50-rgb.npz --validation 0 --steps 4000 --units 64,48 "
        "--seed 0 -o nih50-rgb.zmal",
    ),
    Shipped(
        name="nih50-red-masks.zmal",
        n_channels=1,
        trained_by="zarrmal train nih50-rgb.npz --channel red --masks nih50-silhouettes.npz "
        "--sae 1 --validation 0.25 --seed 0 -o nih50-red-masks.zmal",
    ),
    Shipped(
        name="nih50-red-masks-fast.zmal",
        n_channels=1,
        effort="fast",
        trained_by="zarrmal train nih50-rgb.npz --channel red --masks nih50-silhouettes.npz "
        "--sae 0 --effort fast --unseen 0.25 --validation 0 --seed 0 -o nih50-red-masks-fast.zmal",
    ),
    Shipped(
        name="nih50-rgb-masks.zmal",
        n_channels=3,
        trained_by="zarrmal train nih50-rgb.npz --masks nih50-silhouettes.npz --sae 1 "
        "--validation 0.25 --steps 7000 --units 64,48 --seed 0 -o nih50-rgb-masks.zmal",
    ),
    Shipped(
        name="nih-native-red.zmal",
        n_channels=1,
        trained_by="zarrmal train nih-native/ --channel red --validation 0 --steps 8000 "
        "--units 64,48 --seed 0 -o nih-native-red.zmal",
    ),
    Shipped(
        name="nih-native-rgb.zmal",
        n_channels=3,
        trained_by="zarrmal train nih-native/ --validation 0 --steps 8000 --units 64,48 "
        "--seed 0 -o nih-native-rgb.zmal",
        lattice_by="zarrmal train-lattice nih-native/ pbc-jpeg-cells/ fields/ --group-pattern "
        r"'C\d+[PN]?\d*|[^/]+$' --steps 15000 --blocks 200000 --seed 0 --into nih-native-rgb.zmal "
        "--masks-from nih50-rgb-masks.zmal -o nih-native-rgb.zmal",
    ),
    Shipped(
        name="flow-cytometry.zmal",
        n_channels=3,
        depth=16,
        trained_by="zarrmal train jurkat.npz --sae 0 --classes 1 --validation 0 --steps 5000 "
        "--seed 0 -o flow-cytometry.zmal",
    ),
)


def shipped_models(n_channels: int, *, depth: int = 8) -> tuple[Model, ...]:
    """The models of default effort for so many channels, that for 50 x 50 first; often none.

    Parameters
    ----------
    depth
        At most: 8 for cells of uint8. For uint16 those of depth 8 may do, too.
    """
    fitting = (each for each in SHIPPED if each.n_channels == n_channels and each.depth <= depth)
    models = (shipped.load() for shipped in fitting if shipped.effort == "default")
    return tuple(model for model in models if model is not None)


def shipped_model(n_channels: int) -> Model | None:
    """The model for cells of 50 x 50, grey (1 channel) or RGB (3); None for other channels."""
    return next(iter(shipped_models(n_channels)), None)


def shipped_originals() -> Model | None:
    """The model for RGB crops at their own size; None where the installation lacks the file."""
    return next(each for each in SHIPPED if each.name == "nih-native-rgb.zmal").load()
