"""Fixed points of blocking rules: Newton's step from exact means, and by simulation against it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd
from kadanoff.errors import InputError
from kadanoff.renormalization.blocking import to_blocks
from kadanoff.renormalization.fixed_points import _require_kind
from kadanoff.renormalization.newton import newton_step
from kadanoff.renormalization.operators import pattern

RULE = kd.SoftMajority(b=2, weight=1.0)
NAMES = ("nearest", "diagonal")
FINE, COARSE = kd.Lattice((4, 4)), kd.Lattice((2, 2))


def operators(fields: np.ndarray) -> np.ndarray:
    """dS/dK of both couplings, and |m| (3, field)."""
    given = jnp.asarray(fields, jnp.float32)
    found = jax.vmap(lambda field: kd.conjugate(kd.LongerRangeIsing(0.1, 0.1), field))(given)
    size = np.abs(np.asarray(fields, np.float64).mean(axis=(1, 2)))
    return np.stack([np.asarray(found.nearest), np.asarray(found.diagonal), size]).astype(np.float64)


class Exact:
    """All fields of both lattices, what is measured on them, and the chances of coarse fields given fine ones."""

    def __init__(self) -> None:
        every = [kd.exact.enumerate_spins(kd.Ising(0.0), lattice).fields for lattice in (FINE, COARSE)]
        self.fine, self.coarse = (operators(np.asarray(fields)) for fields in every)
        sums = np.asarray(
            jax.vmap(lambda field: to_blocks(field, 2).sum(axis=-1))(jnp.asarray(every[0], jnp.float32))
        )
        up = np.asarray(
            RULE.probability(jnp.asarray(sums[:, None] * np.asarray(every[1], np.float32))), np.float64
        )
        self.kernel = up.prod(axis=(2, 3))
        assert np.allclose(self.kernel.sum(axis=1), 1)

    def means(self, values: np.ndarray) -> np.ndarray:
        """What `newton_step` takes, at these couplings."""
        fine, direct = (self.law(values, ops) for ops in (self.fine, self.coarse))
        joint = fine[:, None] * self.kernel
        own = self.fine[:2]
        parts = [
            self.coarse @ joint.sum(axis=0),
            self.coarse @ direct,
            own @ fine,
            np.einsum("nc,fc,kf->nk", self.coarse, joint, own).ravel(),
            ((self.coarse[:, None] * self.coarse[:2]) @ direct).ravel(),
        ]
        return np.concatenate(parts)

    def law(self, values: np.ndarray, ops: np.ndarray) -> np.ndarray:
        weight = np.exp(-values @ ops[:2])
        return weight / weight.sum()

    def solve(self, values: np.ndarray) -> np.ndarray:
        for _ in range(60):
            step = newton_step(self.means(values), 2, np.zeros((2, 3)))[0]
            values = values + step * min(1.0, 0.05 / max(np.abs(step).max(), 1e-9))
        return values


@pytest.fixture(scope="module")
def exact() -> Exact:
    return Exact()


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
def test_newton_finds_the_couplings_that_blocking_leaves(exact):
    solved = exact.solve(np.array([0.2, 0.05]))
    found = exact.means(solved)
    np.testing.assert_allclose(found[:2], found[3:5], atol=1e-10)
    np.testing.assert_allclose(exact.solve(solved + np.array([0.03, -0.02])), solved, atol=1e-10)
    assert np.abs(solved).max() > 0.05  # not the fixed point without couplings
    # Not of these couplings only: the kernel moves |m|, which nothing solved for.
    assert abs(found[2] - found[5]) > 1e-4


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
def test_a_step_and_what_follows_it_are_those_of_finite_differences(exact):
    values, small = np.array([0.18, 0.03]), 1e-5
    here = exact.means(values)
    slopes = np.stack(
        [
            (exact.means(values + small * unit)[:6] - exact.means(values - small * unit)[:6]) / (2 * small)
            for unit in np.eye(2)
        ],
        axis=1,
    )
    step, after = newton_step(here, 2, np.zeros((2, 3)))
    np.testing.assert_allclose((slopes[:2] - slopes[3:5]) @ step, -(here[:2] - here[3:5]), atol=1e-7)
    np.testing.assert_allclose(
        after[:, 0], [here[2] + slopes[2] @ step, here[5] + slopes[5] @ step], atol=1e-7
    )
    # An origin that is taken off the means beforehand changes nothing.
    origin = np.random.default_rng(0).normal(size=(2, 3))
    shifted = here.copy()
    shifted[:6] -= origin.ravel()
    ops = here[6:8]
    shifted[8:14] -= np.outer(origin[0], ops).ravel()
    shifted[14:20] -= (
        np.outer(origin[0 + 1], here[3:5])
        + np.outer(here[3:6], origin[1][:2])
        - np.outer(origin[1], origin[1][:2])
    ).ravel()
    np.testing.assert_allclose(newton_step(shifted, 2, origin)[0], step, atol=1e-10)


@pytest.mark.slow
@pytest.mark.statistical
def test_simulation_finds_the_enumerated_fixed_point_from_afar(exact):
    # Couplings and the disagreement of |m| within 4 sigma; the chance of a failure is below 1e-3.
    truth = exact.solve(np.array([0.2, 0.05]))
    found = kd.fixed_point(
        RULE,
        kd.LongerRangeIsing(0.45, 0.0),
        FINE,
        NAMES,
        held_out=("abs_magnetization",),
        draws=400,
        thin=4,
        thermalize=50,
        seed=1,
    )
    for name, value in zip(NAMES, truth, strict=True):
        assert abs(found.couplings[name].pull(value)) < 4, name
        assert found.couplings[name].error < 0.03
    means = exact.means(truth)
    row = found.agreement[0]
    assert abs(row.difference.pull(means[2] - means[5])) < 4
    assert row.difference.error < row.blocked.error
    assert len(found.history) >= 2 and found.history[0][0]["nearest"] == pytest.approx(0.45)
    assert float(found.at(found.samples[0]).nearest) == pytest.approx(found.samples[0, 0], rel=1e-6)
    assert "abs_magnetization" in str(found)


@pytest.mark.exact
@pytest.mark.slow
@pytest.mark.ci
def test_what_cannot_be_solved_is_refused_in_one_line():
    start, far = kd.LongerRangeIsing(0.2), kd.LongerRangeIsing(0.24, 0.04)
    for call, said in (
        (lambda: kd.fixed_point(RULE, start, FINE, ["beta"]), "no scalar coupling 'beta'"),
        (lambda: kd.fixed_point(RULE, start, FINE, [*NAMES, "cubic"], draws=8), "'cubic' couples nothing"),
        (lambda: kd.fixed_point(RULE, start, FINE, NAMES, steps=0), "must be 1 or more, got 0"),
        (lambda: kd.fixed_point(RULE, far, FINE, NAMES, steps=1, draws=256), "within 1 steps"),
        (lambda: kd.fixed_point(RULE, start, kd.Lattice((6, 5)), NAMES), "multiple"),
    ):
        with pytest.raises(InputError, match=said) as error:
            call()
        assert "\n" not in str(error.value)


@pytest.mark.exact
def test_what_could_never_be_solved_is_refused_before_anything_is_simulated(monkeypatch):
    monkeypatch.setattr("kadanoff.renormalization.fixed_points.sample", None)
    start, phi4, ring = kd.LongerRangeIsing(0.2), kd.Phi4(-0.95, 0.7), kd.Lattice(8)
    plaquette = pattern("plaquette", (1, 0), (0, 1), (1, 1))
    for call, said in (
        (
            lambda: kd.fixed_point(kd.Majority(), phi4, FINE),
            "Phi4 is an action of real numbers, and Majority makes",
        ),
        (
            lambda: kd.fixed_point(kd.BlockMean(), start, FINE, NAMES),
            "is an action of spins, and BlockMean makes",
        ),
        (lambda: kd.fixed_point(RULE, start, FINE, ["nearest", "nearest"]), "names one twice"),
        (lambda: kd.fixed_point(RULE, start, FINE, "nearest"), "names takes a sequence"),
        (lambda: kd.fixed_point(RULE, start, FINE, NAMES, held_out="binder"), "held_out takes a sequence"),
        (
            lambda: kd.fixed_point(RULE, start, ring, NAMES, held_out=[plaquette]),
            "'plaquette' has sites in more than 1 dimension:",
        ),
    ):
        with pytest.raises(InputError, match=said) as error:
            call()
        assert "\n" not in str(error.value)


@pytest.mark.exact
def test_rules_that_keep_the_kind_of_the_sites_pass():
    for rule, action, dimension in (
        (kd.Decimation(), kd.Ising(0.3), 1),
        (kd.MajorityMean(b=3), kd.Ising(0.3), 2),
        (kd.BlockSum(), kd.Phi4(-0.95, 0.7), 3),
        (kd.Decimation(), kd.Phi4(-0.95, 0.7), 2),
    ):
        _require_kind(rule, action, dimension)


@pytest.mark.exact
@pytest.mark.filterwarnings("ignore::kadanoff.errors.ThermalisationWarning")
def test_fields_that_do_not_fluctuate_are_named_as_such():
    with pytest.raises(InputError, match="'nearest' couples is alike in all configurations of"):
        kd.fixed_point(
            kd.Decimation(),
            kd.LongerRangeIsing(3.0),
            kd.Lattice(8),
            ["nearest"],
            chains=4,
            thermalize=20,
            thin=2,
        )


@pytest.mark.exact
def test_operators_that_tell_no_couplings_apart_are_named_as_such():
    with pytest.raises(InputError, match="do not tell 1 couplings apart"):
        newton_step(np.array([1.0, 0.0, 0.0, 0.0, 0.0]), 1, np.zeros((2, 1)))


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
@pytest.mark.filterwarnings("ignore::kadanoff.errors.ThermalisationWarning")
def test_what_is_compared_by_default_fits_into_one_dimension():
    found = kd.fixed_point(
        kd.Decimation(), kd.LongerRangeIsing(0.1), kd.Lattice(8), ["nearest"], draws=64, thin=2
    )
    assert [row.name for row in found.agreement] == [
        "abs_magnetization",
        "magnetization_squared",
        "binder",
        "third",
    ]
