"""Results of one model: curves, surfaces, operating points, side information."""

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
        (class, rate), for the cells of class i at each rate of its own; H0 and H1.
    overall
        (rate,), at equal rates of both classes, weighted with the priors; BR.
    surface
        (rate of P(C1|S0), rate of P(C0|S1)), weighted with the priors.
    """

    classes: Surface
    overall: Row
    surface: Surface


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A quantity in bits per pixel.

    Parameters
    ----------
    name
        In profile ``paper``: "entropy" (zero-order, of the residues), "geometric_entropy" (of
        geometric sources of the same means), "predicted_acwl" (closed form), "written_acwl" (Rice
        codewords, as written), "entropy_with_latents", "bits_per_pixel" (streams as written, whole
        bytes, latents counted). In ``hybrid``: "code_length" (the codec's own cost, latents
        counted) and "bits_per_pixel" (streams as written).
    title
        Description.
    expectation
        By the channel's arithmetic from the four sources, each measured on all its cells. Linear
        in the rates.
    draw
        With cells drawn by the seed to be misclassified: each source is measured on the cells that
        it then contains. A cell that is misclassified at one rate is so at all higher rates.
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
        Parameter of the geometric source of this mean.
    rice_parameter
        s, by the paper's formula.
    histogram
        (256,), counts of each n.
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
    """A way to assign each cell its class.

    Parameters
    ----------
    name
        "labels", "classifier" or "shortest" (the shorter code).
    rates
        P(Cj|Si) on the measured cells, (true class i, predicted class j).
    channel_bits
        Expected by the channel's arithmetic at these rates, bits per pixel.
    bits_per_pixel
        As written with exactly these misclassified cells, latents counted.
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
        Bits per pixel of latents stored apart; 0 where they are in the streams.
    bits
        Streams as written, latents counted, (true class i, model's class j).
    sources
        The four sources of profile ``paper``; none in ``hybrid``.
    quantities
        See Quantity.
    pooled
        (rate,), at equal rates of both classes, drawn, with one Rice parameter per predicted class
        as in an archive, which does not know the true class. In ``hybrid`` the drawn rate.
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
        """Return the quantity of this name; raise KeyError without one."""
        for quantity in self.quantities:
            if quantity.name == name:
                return quantity
        raise KeyError(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Number of cells from which an archive, side information counted, is smaller.

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
    """Rate on unseen slides, all stored bytes counted.

    Parameters
    ----------
    assignment
        Name of the OperatingPoint: "labels", "classifier" or "shortest".
    bits_per_pixel
        (size,), over SideInformation.n_cells.
    """

    assignment: str
    bits_per_pixel: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class SideInformation:
    """Bytes stored beside the cells' streams.

    Parameters
    ----------
    model_bytes, base64_bytes
        Size of the model's file, and of its base64 in the metadata.
    metadata_bytes
        The rest of an archive's metadata.
    index_bytes_per_cell
        Cell index and headers of the chunks, from a real archive of these cells.
    n_cells
        Data-set sizes that share the fixed bytes.
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
    """Results of one model.

    Parameters
    ----------
    name
        "paper", "paper, all cells", "hybrid", or the given file's name.
    profile
        "paper" or "hybrid".
    given
        Whether it came from a file. The study cannot check the training cells of such a model.
    training
        Description of the training cells.
    n_training_cells
        For each class, in the order of the class names; None where unknown.
    side
        Side information.
    sets
        Results on unseen slides, and on training cells.
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
        """Return the results on the cells of this name; raise KeyError without any."""
        for set_results in self.sets:
            if set_results.cells == cells:
                return set_results
        raise KeyError(cells)
