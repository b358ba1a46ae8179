"""The blocks behind one majority spin: all of them, once, with the probabilities of enumeration."""

import numpy as np
import pytest

import kadanoff as kd
from kadanoff.experiments import ising_blocks


@pytest.mark.exact
def test_all_blocks_behind_an_up_spin_are_there_with_the_weight_of_the_rule() -> None:
    # A 2 x 2 block alone: its four links, each once. On a periodic 2 x 2 lattice every link is double.
    beta = 0.44
    torus = kd.exact.enumerate_spins(kd.Ising(beta / 2), kd.Lattice((2, 2)))
    weight = {field.tobytes(): p for field, p in zip(torus.fields, torus.probability, strict=True)}
    blocks = ising_blocks.preimages()
    total = blocks.sum(axis=(1, 2))
    assert len({block.tobytes() for block in blocks}) == len(blocks) == 11
    assert [int((total == t).sum()) for t in (4, 2, 0)] == [1, 4, 6]
    law = np.array([weight[block.astype(np.int8).tobytes()] for block in blocks]) * np.where(
        total == 0, 0.5, 1
    )
    np.testing.assert_allclose(ising_blocks.isolated(beta), law / law.sum(), rtol=1e-5)


@pytest.mark.exact
def test_blocks_are_counted_behind_spins_turned_up() -> None:
    fine = np.ones((1, 2, 4, 4), np.int8)
    fine[0, 1] = -1
    fine[0, 1, 0, 0] = 1  # behind a down spin: the block with its first site against the others
    coarse = np.array([np.ones((2, 2)), -np.ones((2, 2))], np.int8)[None]
    shares = ising_blocks._series(kd.Ensemble(coarse), kd.Ensemble(fine))
    assert shares.shape == (11, 1, 2)
    np.testing.assert_array_equal(shares.sum(axis=0), 1.0)
    names = [ising_blocks._text(block) for block in ising_blocks.preimages()]
    assert shares[names.index("++/++")].tolist() == [[1.0, 0.75]]
    assert shares[names.index("-+/++")].tolist() == [[0.0, 0.25]]
