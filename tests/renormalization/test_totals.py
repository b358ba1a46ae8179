"""Ensembles of totals: the same answers as full configurations, and files that are refused."""

from pathlib import Path

import numpy as np
import pytest

from kadanoff.actions import Ising
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.renormalization.blocking import Majority, block
from kadanoff.renormalization.matching import match
from kadanoff.renormalization.totals import ising_from_files, read_totals, totals_ensemble

BETA = 0.4


def columns(ensemble: Ensemble) -> np.ndarray:
    """Energy and magnetisation of every configuration, from the spins by numpy alone."""
    spins = np.asarray(ensemble.fields)[0].astype(int)
    links = sum(spins * np.roll(spins, 1, axis) for axis in (1, 2))
    return np.stack([-links.sum(axis=(1, 2)), spins.sum(axis=(1, 2))], axis=1)


@pytest.fixture(scope="module")
def ensembles() -> tuple[Ensemble, Ensemble, Ensemble]:
    """Heat-bath chains of 8 x 8 and 4 x 4 by numpy, with autocorrelation, and the first one blocked."""
    rng = np.random.default_rng(0)
    made = []
    for side in (8, 4):
        even = np.add.outer(np.arange(side), np.arange(side)) % 2 == 0
        spins, kept = rng.choice([-1, 1], (side, side)), []
        for _ in range(1500):
            for colour in (even, ~even):
                around = sum(np.roll(spins, shift, axis) for shift in (1, -1) for axis in (0, 1))
                up = rng.random((side, side)) < 1 / (1 + np.exp(-2 * BETA * around))
                spins = np.where(colour, np.where(up, 1, -1), spins)
            kept.append(spins)
        made.append(Ensemble(np.array(kept, dtype=np.int8)[None], Ising(BETA)))
    return made[0], block(made[0], Majority(b=2)), made[1]


@pytest.fixture(scope="module")
def files(
    ensembles: tuple[Ensemble, ...], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, Path]:
    folder = tmp_path_factory.mktemp("columns")
    np.savetxt(folder / "original.txt", columns(ensembles[0]), header="energy magnetisation")
    np.savetxt(folder / "blocked.csv", columns(ensembles[1]), fmt="%d", delimiter=",")
    np.save(folder / "direct.npy", columns(ensembles[2]))
    return folder / "original.txt", folder / "blocked.csv", folder / "direct.npy"


@pytest.mark.exact
@pytest.mark.parametrize("name", ["abs_magnetization", "magnetization_squared", "neighbours"])
def test_columns_and_configurations_give_one_answer(
    ensembles: tuple[Ensemble, ...], files: tuple[Path, Path, Path], name: str
) -> None:
    span = (0.33, 0.50)
    ours = match(*ising_from_files(*files, beta=BETA, shape=(8, 8)), name, span=span, points=9, samples=100)
    full = match(ensembles[1], ensembles[2], name, span=span, points=9, samples=100)
    np.testing.assert_allclose(ours.blocked.values, full.blocked.values, rtol=1e-6)
    np.testing.assert_allclose(ours.direct.errors, full.direct.errors, rtol=1e-5)
    assert (ours.critical is None) == (full.critical is None)
    if ours.critical is not None and full.critical is not None:
        assert ours.critical.value == pytest.approx(full.critical.value, rel=1e-6)


@pytest.mark.statistical
def test_errors_know_the_autocorrelation_of_the_rows(files: tuple[Path, Path, Path]) -> None:
    """Every row four times over: the same numbers, and the same errors within what 500 resamples tell."""
    direct = read_totals(files[2], Lattice((4, 4)))
    errors = []
    for table in (direct, np.repeat(direct, 4, axis=0)):
        ensemble = totals_ensemble(
            table[None, :, 1],
            -table[None, :, 0],
            Lattice((4, 4)),
            action=Ising(BETA),
            conjugates={"beta": table[None, :, 0]},
        )
        from kadanoff.reweighting.curves import reweighted_curve

        curve = reweighted_curve(
            ensemble, "abs_magnetization", np.array([0.38, 0.40, 0.42, 0.44]), "beta", samples=500
        )
        errors.append(curve.errors)
    np.testing.assert_allclose(errors[1], errors[0], rtol=0.2)


@pytest.mark.exact
def test_only_totals_are_known() -> None:
    up = np.full((1, 20), 16.0)
    ensemble = totals_ensemble(up, 2 * up, Lattice((4, 4)))
    assert ensemble.spins and ensemble.lattice.shape == (4, 4) and ensemble.depth == 0
    assert ensemble.observe("susceptibility").value == 16
    for name in ("xi_over_L", lambda field: field**3):
        with pytest.raises(InputError, match="not the sites"):
            ensemble.observe(name) if isinstance(name, str) else ensemble.series(name)
    assert not totals_ensemble(up, up, Lattice((4, 4)), spins=False).spins
    assert totals_ensemble(up, up, Lattice((2, 2)), parent=ensemble).depth == 1


GOOD = np.tile([[-32.0, 16.0]], (20, 1))


def changed(row: int, values: tuple[float, float]) -> np.ndarray:
    table = GOOD.copy()
    table[row] = values
    return table


@pytest.mark.exact
@pytest.mark.parametrize(
    ("table", "said"),
    [
        (np.tile([1.0, 2.0, 3.0], (20, 1)), "two columns"),
        (GOOD[:, 0], "two columns"),
        (GOOD[:15], "15 rows"),
        (GOOD.astype(complex), "real numbers"),
        (changed(3, (np.nan, 16)), "row 4 is not finite"),
        (changed(3, (-32, np.inf)), "row 4 is not finite"),
        (changed(2, (-36, 16)), "row 3 has the total energy -36"),
        (changed(2, (-32, 18)), "row 3 has the total magnetisation 18"),
        (changed(2, (-30, 16)), "a multiple of 4"),
        (changed(2, (-32, 15)), "a multiple of 2"),
        (GOOD / 16, "totals, not means"),
        (changed(2, (-31.7, 12.4)), "no spins"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, table: np.ndarray, said: str) -> None:
    np.save(tmp_path / "table.npy", table)
    with pytest.raises(InputError, match=said):
        read_totals(tmp_path / "table.npy", Lattice((4, 4)))


@pytest.mark.exact
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "two columns"),
        (b"energy m\n-32 16\n", "no table of numbers"),
        (b"-32 16\n-32\n", "no table"),
        (b"\xff\xfe\x00", "as text"),
    ],
)
def test_text_that_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "table.txt").write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_totals(tmp_path / "table.txt", Lattice((4, 4)))
    with pytest.raises(InputError, match="does not exist"):
        read_totals(tmp_path / "absent.txt", Lattice((4, 4)))
    (tmp_path / "table.npy").write_bytes(content)
    with pytest.raises(InputError, match="not a readable"):
        read_totals(tmp_path / "table.npy", Lattice((4, 4)))


@pytest.mark.exact
def test_files_that_do_not_belong_together(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    original, blocked, direct = files
    with pytest.raises(InputError, match="7 is not a multiple of 2"):
        ising_from_files(original, blocked, direct, beta=BETA, shape=(7, 7))
    with pytest.raises(InputError, match="same numbers"):
        ising_from_files(original, blocked, blocked, beta=BETA, shape=(8, 8))
    np.save(tmp_path / "short.npy", np.load(direct)[:100])
    with pytest.raises(InputError, match="1500 rows and .* has 100"):
        ising_from_files(original, tmp_path / "short.npy", direct, beta=BETA, shape=(8, 8))
