"""Ensembles with few independent draws say so, once; others do not."""

import warnings

import numpy as np
import pytest

import kadanoff as kd
from kadanoff.errors import KadanoffWarning


def slow_ensemble(chains, draws, turns):
    """Fields whose amplitude turns so many times in a chain, each chain at its own phase."""
    phase = 2 * np.pi * (turns * np.arange(draws) / draws + np.arange(chains)[:, None] / 3)
    return kd.Ensemble((2 + np.sin(phase))[:, :, None, None] + np.zeros((4, 4)))


@pytest.mark.exact
def test_few_independent_draws_of_few_chains_are_told_once():
    ensemble = slow_ensemble(2, 200, 1)
    with pytest.warns(
        KadanoffWarning, match=r"has about \d independent draws of 2 x 200.* 16 chains"
    ) as found:
        ensemble.observables(["abs_magnetization", "binder", "phi2"])
    assert len(found) == 1


@pytest.mark.exact
@pytest.mark.parametrize(("chains", "draws", "turns"), [(2, 400, 150.3), (16, 4, 0.3), (1, 1, 0)])
def test_enough_draws_many_chains_and_one_draw_are_not_warned_of(chains, draws, turns):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slow_ensemble(chains, draws, turns).observables(["abs_magnetization", "phi2"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kd.Ensemble(np.ones((2, 3, 4, 4))).observables(["phi2"])
