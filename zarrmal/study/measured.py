"""What a study measured of a model: curves, surfaces, operating points, side information."""

from __future__ import annotations

from dataclasses import dataclass

Row = tuple[float, ...]
Surface = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """One quantity over the misclassification rates.

    Parameters
    ----------
    classes
        (class, rate): that of the cells of class i at each rate of its own; H0 and H1.
    overall
        (rate,): both rates alike, weighted with the priors; BR.
    surface
        (rate of P(C1|S0), rate of P(C0|S1)): weighted with the priors.
    """

    classes: Surface
    overall: Row
    surface: Surface


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Something in bits per pixel.

    Parameters
    ----------
    name
        Of profile ``paper``: "entropy" (zero-order, of the residues), "geometric_entropy" (of
        geometric sources of the same means), "predicted_acwl" (closed form), "written_acwl" (Rice
        codewords, as written), "entropy_with_latents", "bits_per_pixel" (streams as written, whole
        bytes, latents counted). Of ``hybrid``: "code_length" (the codec's own cost, latents
        counted) and "bits_per_pixel" (streams as written).
    title
        In words.
    expectation
        By the channel's arithmetic from the four sources, each measured on all its cells: linear
        in the rates.
    draw
        With the cells that the seed chooses to go wrong, the sources measured on the cells that
        then are in them. The choices are nested: a cell that goes wrong does so at all higher
        rates.
    """

    name: str
    title: str
    expectation: Curves
    draw: Curves


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidueSource:
    """R_ij of profile ``paper``: all residues of class i under the model of class j.

    Parameters
    ----------
    mean
        E[n] of the mapped residues.
    p
        Of the geometric source of that mean.
    rice_parameter
        s, by the paper's formula.
    histogram
        (256,): how often each n.
    """

    true_class: int
    model_class: int
    mean: float
    p: float
    entropy: float
    geometric_entropy: float
    rice_parameter: int
    predicted_acwl: float
    written_acwl: float
    histogram: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """A way to give each cell its class.

    Parameters
    ----------
    name
        "labels", "classifier" or "shortest" (the shorter code).
    rates
        (true class i, predicted class j): P(Cj|Si) on the measured cells.
    channel_bits
        What the channel's arithmetic expects at these rates.
    bits_per_pixel
        As written with the very cells that go wrong, latents counted.
    """

    name: str
    rates: Surface
    channel_bits: float
    bits_per_pixel: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SetResults:
    """One model on one set of cells.

    Parameters
    ----------
    cells
        Name of the CellSet.
    latent_bits
        What the latents take, where they are stored apart; 0 where they are in the streams.
    bits
        (true class i, model's class j): streams as written, latents counted.
    sources
        The four of profile ``paper``; of ``hybrid`` none.
    quantities
        See Quantity.
    pooled
        (rate,): both rates alike, drawn, with one Rice parameter for each predicted class, as an
        archive has it, which does not know the true class. Of ``hybrid`` the drawn rate.
    points
        See OperatingPoint; the classifier's on unseen slides only.
    """

    cells: str
    latent_bits: float
    bits: Surface
    sources: tuple[ResidueSource, ...]
    quantities: tuple[Quantity, ...]
    pooled: Row
    points: tuple[OperatingPoint, ...]

    def quantity(self, name: str) -> Quantity:
        """That of this name; KeyError if there is none."""
        for one in self.quantities:
            if one.name == name:
                return one
        raise KeyError(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """The number of cells from which an archive, side information counted, is smaller.

    Parameters
    ----------
    n_cells
        None: never.
    """

    rival: str
    arrangement: str
    assignment: str
    n_cells: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amortised:
    """Rate on unseen slides with everything counted that is stored.

    Parameters
    ----------
    assignment
        "labels", "classifier" or "shortest": an OperatingPoint.
    bits_per_pixel
        (size,): over SideInformation.n_cells.
    """

    assignment: str
    bits_per_pixel: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class SideInformation:
    """What is stored beside the cells' streams.

    Parameters
    ----------
    model_bytes, base64_bytes
        Of the model file, and as it stands in the metadata.
    metadata_bytes
        The rest of an archive's metadata.
    index_bytes_per_cell
        Cell index of the chunks and the arrays beside them, of a real archive of these cells.
    n_cells
        Data-set sizes over which all this is spread.
    """

    model_bytes: int
    base64_bytes: int
    metadata_bytes: int
    index_bytes_per_cell: float
    n_cells: tuple[int, ...]
    amortised: tuple[Amortised, ...]
    break_even: tuple[BreakEven, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResults:
    """One model.

    Parameters
    ----------
    name
        "paper", "paper, all cells", "hybrid", or of what was given.
    profile
        "paper" or "hybrid".
    given
        Whether it came from a file: then its training cells are whatever its maker says.
    training
        In words.
    n_training_cells
        Of each class, in the order of the class names; None where that is not known.
    sets
        On unseen slides, and on training cells.
    """

    name: str
    profile: str
    sha256: str
    given: bool
    training: str
    n_training_cells: tuple[int, ...] | None
    side: SideInformation
    sets: tuple[SetResults, ...]

    def on(self, cells: str) -> SetResults:
        """Results on the cells of that name; KeyError if there are none."""
        for one in self.sets:
            if one.cells == cells:
                return one
        raise KeyError(cells)
