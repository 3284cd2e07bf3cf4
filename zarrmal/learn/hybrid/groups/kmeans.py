"""Clusters of cells that look alike, by k-means: learned classes start from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FIT_CELLS = 20_000
N_STARTS = 3
N_ITERATIONS = 25
BLOCK_CELLS = 4_096


def foreground_statistics(cells: NDArray[np.uint8]) -> tuple[Floats, Floats, Floats]:
    """Mean and standard deviation of the foreground of each plane, and the foreground's share.

    Parameters
    ----------
    cells
        uint8 (cell, y, x[, channel]), exact black outside.

    Returns
    -------
    NDArray
        float32 (cell, plane), twice, in grey levels, and (cell,), 0..1.
    """
    mean, deviation, share = [], [], []
    for start in range(0, len(cells), BLOCK_CELLS):
        block = cells[start : start + BLOCK_CELLS]
        flat = block.reshape(len(block), block.shape[1] * block.shape[2], -1).astype(np.float32)
        inside = (flat > 0).sum(axis=1)
        n = np.maximum(inside, 1)
        block_mean = flat.sum(axis=1) / n
        mean.append(block_mean)
        deviation.append(np.sqrt(np.maximum((flat**2).sum(axis=1) / n - block_mean**2, 0)))
        share.append((inside / flat.shape[1]).mean(axis=1))
    return (
        np.concatenate(mean).astype(np.float32),
        np.concatenate(deviation).astype(np.float32),
        np.concatenate(share).astype(np.float32),
    )


def features(cells: NDArray[np.uint8], pooled: Floats) -> Floats:
    """Features that k-means compares, float32 (cell, feature).

    The pooled grid as a whole has the weight of one of the ``foreground_statistics``: most of its
    variance comes from a cell's shape and position, which say little of how it is coded.

    Parameters
    ----------
    pooled
        float32 (cell, y * x * plane), input of the autoencoder.
    """
    mean, deviation, share = foreground_statistics(cells)
    numbers = np.concatenate([mean, deviation, share[:, None]], axis=1)
    numbers = (numbers - numbers.mean(axis=0)) / np.maximum(numbers.std(axis=0), 1e-6)
    grid = pooled - pooled.mean(axis=0)
    grid /= max(float(np.sqrt((grid**2).sum(axis=1).mean())), 1e-6)
    return np.concatenate([numbers, grid], axis=1).astype(np.float32)


def cluster(points: Floats, n_clusters: int, seed: int) -> NDArray[np.int64]:
    """Cluster of each point by k-means, int64 (point,); the best of some starts.

    A cluster may stay empty where points are alike.
    """
    generator = np.random.default_rng(seed)
    sample = points[:: max(1, -(-len(points) // FIT_CELLS))]
    results: list[tuple[float, Floats]] = []
    for _ in range(N_STARTS if n_clusters > 1 else 1):
        centres = _scattered(sample, n_clusters, generator)
        for _ in range(N_ITERATIONS):
            nearest = _squares(sample, centres).argmin(axis=1)
            for k in range(n_clusters):
                members = sample[nearest == k]
                if len(members):
                    centres[k] = members.mean(axis=0)
        results.append((float(_squares(sample, centres).min(axis=1).sum()), centres))
    best = min(results, key=lambda result: result[0])[1]
    clusters: NDArray[np.int64] = _squares(points, best).argmin(axis=1)
    return clusters


def _scattered(points: Floats, n: int, generator: np.random.Generator) -> Floats:
    """Points far from one another, as k-means++ draws them."""
    chosen = [int(generator.integers(len(points)))]
    for _ in range(1, n):
        distances = _squares(points, points[chosen]).min(axis=1).astype(np.float64)
        total = distances.sum()
        weights = distances / total if total > 0 else None
        chosen.append(int(generator.choice(len(points), p=weights)))
    return points[chosen].copy()


def _squares(points: Floats, centres: Floats) -> Floats:
    """Squared distances, (point, centre)."""
    partial = (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T
    squares: Floats = np.maximum(partial + (centres**2).sum(axis=1), 0)
    return squares
