"""Results of a study by formula: exactly geometric residues, without training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zarrmal.study.results.model_results import (
    Amortised,
    BreakEven,
    Curves,
    ModelResults,
    OperatingPoint,
    Quantity,
    ResidueSource,
    SetResults,
    SideInformation,
)
from zarrmal.study.results.study_results import (
    SCHEMA,
    TRAINING,
    UNSEEN,
    CellSet,
    Claim,
    ClassifierRates,
    ExampleCell,
    RivalRate,
    StudyResults,
)
from zarrmal.study.theory import geometric_entropy, p_from_mean, rice_acwl, rice_parameter

RATES = tuple(round(0.01 * k, 2) for k in range(1, 21))
CLASSES = ("parasitized", "uninfected")
PRIORS = (0.5, 0.5)
CLASSIFIED = ((0.95, 0.05), (0.03, 0.97))
SHORTEST = ((0.88, 0.12), (0.16, 0.84))
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
PIXELS = 2_500
RIVALS = {"JPEG XL": 2.23, "CALIC": 2.63, "JPEG-LS": 2.81, "WebP": 3.15, "JPEG2000": 3.9}


@dataclass(frozen=True, kw_only=True)
class FakeOptions:
    """Choices for the results.

    Parameters
    ----------
    paper, hybrid
        Bits per pixel of each profile on unseen slides.
    worse
        Bits per pixel that a wrong model costs.
    """

    paper: float = 6.2
    hybrid: float = 2.1
    worse: float = 0.4
    quick: bool = False
    classes: tuple[str, ...] = CLASSES
    source: str = "cells.npz, channel red"
    profiles: tuple[str, ...] = ("paper", "hybrid")
    sets: tuple[str, ...] = (UNSEEN, TRAINING)
    rivals: tuple[str, ...] = tuple(RIVALS)
    classifier: bool = True


def curves(bits: np.ndarray, wobble: float) -> Curves:
    """The channel's arithmetic over both rates, plus a small sine."""
    r = np.array(RATES)
    wave = wobble * np.sin(40 * r)
    own = np.stack([(1 - r) * bits[i, i] + r * bits[i, 1 - i] + wave for i in (0, 1)])
    surface = PRIORS[0] * own[0][:, None] + PRIORS[1] * own[1][None, :]
    return Curves(
        classes=tuple(map(tuple, own.tolist())),
        overall=tuple((PRIORS[0] * own[0] + PRIORS[1] * own[1]).tolist()),
        surface=tuple(map(tuple, surface.tolist())),
    )


def quantity(name: str, bits: np.ndarray) -> Quantity:
    return Quantity(name=name, title=name, expectation=curves(bits, 0), draw=curves(bits, 0.002))


def residues(i: int, j: int, entropy: float) -> ResidueSource:
    """A geometric source of about this entropy, and its Rice code."""
    means = np.linspace(0.2, 200, 4_000)
    entropies = np.array([geometric_entropy(p_from_mean(m)) for m in means])
    mean = float(means[np.abs(entropies - entropy).argmin()])
    p, s = p_from_mean(mean), rice_parameter(mean)
    exact = geometric_entropy(p)
    acwl = rice_acwl(p, s)
    counts = np.round(1e6 * p ** np.arange(256) * (1 - p)).astype(int)
    return ResidueSource(
        true_class=i,
        model_class=j,
        mean=mean,
        p=p,
        entropy=exact - 0.05,
        geometric_entropy=exact,
        rice_parameter=s,
        predicted_acwl=acwl,
        written_acwl=acwl + 0.04,
        histogram=tuple(counts.tolist()),
    )


def point(name: str, rates: tuple[tuple[float, ...], ...], bits: np.ndarray) -> OperatingPoint:
    expected = float((np.array(PRIORS)[:, None] * np.array(rates) * bits).sum())
    gain = 0.01 if name == "shortest" else 0
    return OperatingPoint(
        name=name, rates=rates, channel_bits=expected, bits_per_pixel=expected - gain
    )


def set_results(options: FakeOptions, profile: str, cells: str) -> SetResults:
    base = (options.paper if profile == "paper" else options.hybrid) - (
        0.3 if cells == TRAINING else 0
    )
    bits = np.array(
        [[base + 0.1, base + 0.1 + options.worse], [base - 0.1 + options.worse, base - 0.1]]
    )
    sources: tuple[ResidueSource, ...] = ()
    quantities = [quantity("bits_per_pixel", bits)]
    if profile == "paper":
        sources = tuple(residues(i, j, bits[i, j] - 0.2) for i in (0, 1) for j in (0, 1))
        for name in ("entropy", "geometric_entropy", "predicted_acwl", "written_acwl"):
            values = np.array([getattr(source, name) for source in sources]).reshape(2, 2)
            quantities.append(quantity(name, values))
        quantities.append(quantity("entropy_with_latents", bits - 0.15))
    else:
        quantities.append(quantity("code_length", bits - 0.01))
    points = [point("labels", ((1.0, 0.0), (0.0, 1.0)), bits), point("shortest", SHORTEST, bits)]
    if options.classifier and cells == UNSEEN:
        points.insert(1, point("classifier", CLASSIFIED, bits))
    return SetResults(
        cells=cells,
        latent_bits=0.096 if profile == "paper" else 0,
        bits=tuple(map(tuple, bits.tolist())),
        sources=sources,
        quantities=tuple(quantities),
        pooled=tuple(b + 0.02 for b in quantities[0].draw.overall),
        points=tuple(points),
    )


def model_results(options: FakeOptions, profile: str) -> ModelResults:
    sets = tuple(set_results(options, profile, cells) for cells in options.sets)
    model_bytes = 9_000_000 if profile == "paper" else 16_000
    stored = model_bytes * 4 // 3
    amortised = tuple(
        Amortised(
            assignment=point.name,
            bits_per_pixel=tuple(
                point.bits_per_pixel + 8 * (6 / PIXELS + (stored + 2_000) / (n * PIXELS))
                for n in SIZES
            ),
        )
        for point in sets[0].points
    )
    break_even = []
    for rival in options.rivals:
        for point in sets[0].points:
            gain = RIVALS[rival] - point.bits_per_pixel - 48 / PIXELS
            n = int(8 * (stored + 2_000) / (PIXELS * gain)) if gain > 0 else None
            break_even.append(
                BreakEven(
                    rival=f"{rival.lower()}:test",
                    arrangement="sheet",
                    assignment=point.name,
                    n_cells=n,
                )
            )
    return ModelResults(
        name=profile,
        profile=profile,
        sha256="ab" * 32,
        given=False,
        training="400 cells a class, 200 epochs",
        n_training_cells=(400, 400),
        side=SideInformation(
            model_bytes=model_bytes,
            base64_bytes=stored,
            metadata_bytes=2_000,
            index_bytes_per_cell=6.0,
            n_cells=SIZES,
            amortised=amortised,
            break_even=tuple(break_even),
        ),
        sets=sets,
    )


def example(name: str, k: int, profiles: tuple[str, ...]) -> ExampleCell:
    """A grey disc on black."""
    y, x = np.mgrid[:50, :50] - 25
    radius = np.hypot(y, x)
    inside = radius < 20 + k
    pixels = np.where(inside, 200 - 2 * radius + 9 * np.sin(x) * (k + 1), 0).astype(int)
    prediction = np.where(inside, 195 - 1.8 * radius, 3).astype(int)
    residue = pixels - prediction
    mapped = np.where(residue >= 0, 2 * residue, -2 * residue - 1)
    cost = np.where(inside, 2.5 + np.abs(np.sin(y)), 0.01)

    def rows(values: np.ndarray) -> tuple[tuple[int, ...], ...]:
        return tuple(map(tuple, values.tolist()))

    paper, hybrid = "paper" in profiles, "hybrid" in profiles
    return ExampleCell(
        class_name=name,
        row=17 + k,
        slide=f"C{k}",
        pixels=rows(pixels),
        prediction=rows(prediction) if paper else None,
        residue=rows(residue) if paper else None,
        paper_bits=rows((mapped >> 3) + 4) if paper else None,
        hybrid_bits=rows(cost) if hybrid else None,
    )


def fake_study(options: FakeOptions | None = None) -> StudyResults:
    """Results of an invented study."""
    options = FakeOptions() if options is None else options
    cell_sets = tuple(
        CellSet(
            name=cells,
            n_cells=(400, 400),
            rows=(tuple(range(400)), tuple(range(400, 800))),
            slides=tuple(f"C{k}" for k in range(40)),
            sha256="cd" * 32,
        )
        for cells in options.sets
    )
    rivals = tuple(
        RivalRate(
            name=f"{family.lower()}:test",
            family=family,
            arrangement=arrangement,
            cells=cells,
            n_cells=800,
            bits_per_pixel=RIVALS[family] + more + (0.02 if cells == TRAINING else 0),
        )
        for family in options.rivals
        for arrangement, more in (("sheet", 0.0), ("cell", 0.5))
        for cells in options.sets
    )
    claims = (
        Claim(
            name="wrong models cost bits",
            paper="The bit rate rises with the misclassification rate",
            where="Fig. 7",
            verdict="holds",
            evidence="0.400 bits/pixel at worst",
        ),
        Claim(
            name="smaller than JPEG-LS",
            paper="The method compresses better than JPEG-LS",
            where="Fig. 10",
            verdict="does not hold",
            evidence="6.2 against 2.81 bits/pixel",
        ),
    )
    return StudyResults(
        schema=SCHEMA,
        quick=options.quick,
        source=options.source,
        settings={"channel": "red", "seed": 0, "cells_per_class": 400, "quick": options.quick},
        versions={"zarrmal": "0.1.0", "numpy": "2.4.6"},
        class_names=options.classes,
        cell_shape=(50, 50),
        n_source_cells={"training": 17_207, "unseen": 5_397},
        n_slides={"training": 120, "unseen": 40},
        rates=RATES,
        priors=PRIORS,
        cell_sets=cell_sets,
        models=tuple(model_results(options, profile) for profile in options.profiles),
        rivals=rivals,
        classifier=ClassifierRates(
            name="classifier",
            n_cells=5_397,
            accuracy=0.96,
            confusion=((2_500, 130), (80, 2_687)),
            rates=CLASSIFIED,
        )
        if options.classifier
        else None,
        examples=tuple(
            example(name, k, options.profiles) for k, name in enumerate(options.classes)
        ),
        claims=claims,
        notes=("CALIC: the authors' encoder was not measured",),
    )
