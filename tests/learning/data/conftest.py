"""Data of a known action, made once: four phi^4 sites in a row, drawn site by site from their exact distribution."""

import numpy as np
import pytest

import kadanoff as kd

COUPLINGS = {
    "w": np.array([0.5, -0.3, 0.8]),
    "a": np.array([0.6, 0.9, 0.4, 1.1]),
    "b": np.array([0.5, 0.3, 0.6, 0.4]),
    "r": np.array([0.2, -0.1, 0.0, 0.3]),
}


@pytest.fixture(scope="session")
def truth() -> kd.InhomogeneousPhi4:
    """Four sites in a row with couplings of their own."""
    graph = kd.Graph([(0, 1), (1, 2), (2, 3)])
    return kd.InhomogeneousPhi4(graph, **{name: g.astype(np.float32) for name, g in COUPLINGS.items()})


@pytest.fixture(scope="session")
def data() -> np.ndarray:
    """6400 independent fields: sums from the right, then draws from the left, on a fine grid of values."""
    x, rng = np.linspace(-4, 4, 401), np.random.default_rng(3)
    w, a, b, r = (COUPLINGS[name] for name in "wabr")
    site = np.exp(-(r[:, None] * x + a[:, None] * x**2 + b[:, None] * x**4))
    right = [np.ones_like(x)]
    for number in (2, 1, 0):
        right.insert(0, np.exp(w[number] * np.outer(x, x)) @ (site[number + 1] * right[0]))
    fields, before = np.empty((6400, 4)), np.zeros(6400)
    for number in range(4):
        pull = np.exp((w[number - 1] if number else 0) * np.outer(before, x))
        density = np.cumsum(pull * site[number] * right[number], axis=1)
        place = (rng.random((6400, 1)) * density[:, -1:] > density).sum(axis=1)
        before = x[place] + rng.uniform(-0.01, 0.01, 6400)
        fields[:, number] = before
    return fields
