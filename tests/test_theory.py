"""The paper's formulas: by hand, at their limits, against sums, and against the coder itself."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from zarrmal_codecs.paper import golomb_rice

from zarrmal.study import theory
from zarrmal.study.theory import Channel, binary_channel

PS = (0.01, 0.3, 0.5, 0.8, 0.95)
N = np.arange(4000)
ACCEPTED_SIGMAS = 4


@pytest.mark.parametrize("p", PS)
def test_geometric_source_against_sums(p):
    pmf = theory.geometric_pmf(N, p)
    assert pmf.sum() == pytest.approx(1)
    mean = theory.geometric_mean(p)
    assert (N * pmf).sum() == pytest.approx(mean)
    assert theory.p_from_mean(mean) == pytest.approx(p)
    assert theory.geometric_entropy(p) == pytest.approx(theory.entropy(pmf))


def test_entropy_by_hand_and_at_its_limits():
    assert theory.geometric_entropy(0.5) == pytest.approx(2)  # 1/2, 1/4, 1/8 ... : n + 1 bits
    assert theory.geometric_entropy(0.0) == 0
    assert 0 < theory.geometric_entropy(1e-12) < 1e-10
    # -(1/4) log2(1/4) - (3/4) log2(3/4) = 0.8112781, over 1/4
    assert theory.geometric_entropy(0.75) == pytest.approx(3.2451125)
    # What the paper's equation 2 prints would give another number: it is no entropy.
    assert theory.geometric_entropy(0.75) != pytest.approx(0.8112781 / 0.75)
    assert theory.entropy([1, 1, 2]) == pytest.approx(1.5)
    assert theory.entropy([7]) == 0
    assert theory.entropy([]) == 0


def test_golomb_lengths_by_hand():
    assert theory.golomb_parts(1) == (0, 0)
    assert theory.golomb_parts(5) == (3, 2)
    assert theory.golomb_parts(8) == (3, 3)
    # m = 5: A = 3, B = 2; r = 0, 1, 2 take 2 bits, 3 and 4 take 3; plus n div 5 and a zero.
    assert [theory.golomb_length(n, 5) for n in range(11)] == [3, 3, 3, 4, 4, 4, 4, 4, 5, 5, 5]
    assert [theory.golomb_length(n, 1) for n in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("m", [1, 2, 3, 5, 7, 8, 12, 64])
def test_golomb_lengths_are_the_coders(m):
    for n in range(0, 300, 7):
        assert theory.golomb_length(n, m) == golomb_rice.golomb_bits(n, m)


@pytest.mark.parametrize("m", [1, 2, 3, 5, 6, 8, 13, 32])
@pytest.mark.parametrize("p", PS)
def test_mean_lengths_against_sums(p, m):
    pmf = theory.geometric_pmf(N, p)
    assert theory.mean_quotient(p, m) == pytest.approx((N // m * pmf).sum())
    lengths = np.array([theory.golomb_length(n, m) for n in N.tolist()])
    assert theory.golomb_acwl(p, m) == pytest.approx((lengths * pmf).sum())
    assert theory.golomb_acwl(p, m) >= theory.geometric_entropy(p)


def test_rice_is_golomb_at_powers_of_two():
    for s in range(6):
        assert theory.rice_acwl(0.9, s) == pytest.approx(theory.golomb_acwl(0.9, 1 << s))
    # p = 1/2, m = 2: E[q] = (1/4) / (3/4)
    assert theory.rice_acwl(0.5, 1) == pytest.approx(1 / 3 + 2)
    assert theory.rice_acwl(0.0, 3) == 4


@pytest.mark.parametrize("mean", [0, 0.5, 1.9, 2, 2.1, 4, 4.0001, 8, 15.9, 16, 100])
def test_rice_parameter_is_the_papers_and_the_coders(mean):
    expected = max(0, int(np.ceil(log2(mean / 2)))) if mean else 0
    assert theory.rice_parameter(mean) == expected == golomb_rice.rice_parameter(mean)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 0.618, 0.619, 0.9, 0.99])
def test_no_golomb_code_is_shorter_than_the_best(p):
    best = theory.golomb_acwl(p, theory.best_golomb(p))
    assert best <= min(theory.golomb_acwl(p, m) for m in range(1, 200)) + 1e-12


def test_channel_by_hand():
    channel = binary_channel(0.6, 0.1, 0.2)
    np.testing.assert_allclose(channel.joint, [[0.54, 0.06], [0.08, 0.32]])
    np.testing.assert_allclose(channel.assigned, [0.62, 0.38])
    assert channel.accuracy == pytest.approx(0.86)
    sources = [[2.0, 5.0], [6.0, 3.0]]
    np.testing.assert_allclose(channel.conditional(sources), [2.3, 3.6])  # H0, H1
    assert channel.bit_rate(sources) == pytest.approx(0.6 * 2.3 + 0.4 * 3.6)
    assert channel.acwl(sources) == pytest.approx((channel.joint * sources).sum())


def test_a_perfect_classifier_leaves_the_pure_sources():
    channel = binary_channel(0.5, 0, 0)
    np.testing.assert_array_equal(channel.conditional([[2, np.nan], [np.nan, 3]]), [2, 3])


def test_many_classes_that_are_two_give_what_two_give():
    two = binary_channel(0.3, 0.15, 0.05)
    # The second class in two halves, between which nothing differs.
    rates = [[0.85, 0.05, 0.1], [0.05, 0.5, 0.45], [0.05, 0.2, 0.75]]
    three = Channel(priors=np.array([0.3, 0.2, 0.5]), rates=np.array(rates))
    a, b, c, d = 2.0, 4.5, 5.0, 2.5
    doubled = [[a, b, b], [c, d, d], [c, d, d]]
    assert three.bit_rate(doubled) == pytest.approx(two.bit_rate([[a, b], [c, d]]))
    assert three.assigned.sum() == pytest.approx(1)


def test_overall_rate_is_linear_in_both_misclassification_rates():
    sources = [[2.0, 5.0], [6.0, 3.0]]
    grid = np.array([[binary_channel(0.4, x, y).bit_rate(sources) for y in (0, 0.1, 0.2)]
                     for x in (0, 0.1, 0.2)])  # fmt: skip
    np.testing.assert_allclose(np.diff(grid, 2, axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.diff(grid, 2, axis=1), 0, atol=1e-12)


@pytest.mark.parametrize("p", PS)
def test_the_real_coder_writes_what_theory_says(p):
    """Codewords of a simulated source, written by the codec, within four standard errors.

    A byte holds n up to 255, as residues do: what lies above (p = 0.95: 2 in a million) is drawn
    again, and the sums below are of that very source.
    """
    rng = np.random.default_rng(11)
    values = rng.geometric(1 - p, 200_000) - 1
    while (values > 255).any():
        above = values > 255
        values[above] = rng.geometric(1 - p, int(above.sum())) - 1
    s = theory.rice_parameter(theory.geometric_mean(p))
    row = values.astype(np.uint8)[None]
    (stream,) = golomb_rice.rice_encode(row, s)
    assert (golomb_rice.rice_decode([memoryview(stream)], row.size, s) == row).all()
    lengths = np.arange(256) // (1 << s) + 1 + s
    pmf = theory.geometric_pmf(np.arange(256), p)
    variance = (lengths**2 * pmf).sum() - (lengths * pmf).sum() ** 2
    sigma = (variance / row.size) ** 0.5
    padding = 16 / row.size  # both halves of a stream end on whole bytes
    measured = 8 * len(stream) / row.size
    assert abs(measured - theory.rice_acwl(p, s)) <= ACCEPTED_SIGMAS * sigma + padding
    m = theory.best_golomb(p)
    written = 8 * len(golomb_rice.golomb_encode(values[:20_000], m)) / 20_000
    assert abs(written - theory.golomb_acwl(p, m)) <= ACCEPTED_SIGMAS * sigma * 10**0.5 + 1e-3


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: theory.geometric_entropy(1.0), "0 <= p < 1"),
        (lambda: theory.geometric_pmf([-1], 0.5), "n >= 0"),
        (lambda: theory.p_from_mean(-0.1), "finite and >= 0"),
        (lambda: theory.rice_parameter(float("nan")), "finite"),
        (lambda: theory.golomb_length(-1, 4), "n >= 0"),
        (lambda: theory.golomb_length(1, 0), "m >= 1"),
        (lambda: theory.rice_acwl(0.5, -1), "s >= 0"),
        (lambda: theory.entropy([1, -1]), "counts"),
        (lambda: binary_channel(0.5, 1.1, 0), r"P\(C1\|S0\)"),
        (lambda: binary_channel(float("nan"), 0, 0), r"P\(S0\)"),
        (lambda: Channel(priors=np.array([0.5, 0.6]), rates=np.eye(2)), "priors"),
        (lambda: Channel(priors=np.array([0.5, 0.5]), rates=np.eye(3)), "2 x 2"),
        (lambda: Channel(priors=np.ones(1), rates=np.array([[0.9]])), "each row"),
        (lambda: binary_channel(0.5, 0, 0).bit_rate([1, 2]), "2 x 2"),
        (lambda: binary_channel(0.5, 0.1, 0).bit_rate([[1, np.nan], [1, 1]]), "finite"),
    ],
)
def test_bad_input_is_a_value_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()
