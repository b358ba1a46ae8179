"""What is no ensemble, rule, coupling or sequence is refused in words, wherever it is given."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kadanoff as kd

pytestmark = [pytest.mark.exact, pytest.mark.usefixtures("unchecked")]

FIELDS = np.ones((4, 8, 4, 4), dtype=np.float32)
PHI4, RULE = kd.Phi4(-0.9515, 0.7), kd.MajorityMean(b=2)
ENSEMBLE = kd.Ensemble(FIELDS, PHI4)
SPINS = kd.CompatibleMonteCarlo(kd.Ising(0.4))

OF_AN_ENSEMBLE: dict[str, Callable[[Any], Any]] = {
    "block": lambda given: kd.block(given, RULE),
    "learn_inverse": lambda given: kd.learn_inverse(given, RULE),
    "grow": lambda given: kd.grow(given, SPINS),
    "certificate": lambda given: kd.certificate(kd.Levels((ENSEMBLE,)), {4: given}),
    "reweight": lambda given: kd.reweight(given, PHI4),
    "reweight_external": lambda given: kd.reweight_external(given, "binder", 0.1),
    "reweight_along": lambda given: kd.reweight_along(given, "mass2", [-0.95]),
    "overlap": lambda given: kd.overlap(ENSEMBLE, given),
    "derivative": lambda given: kd.derivative(given, "binder"),
    "stability_matrix": lambda given: kd.stability_matrix(given, RULE),
    "match": lambda given: kd.match(given, ENSEMBLE, "binder"),
    "match_steps": lambda given: kd.match_steps(ENSEMBLE, given, RULE),
    "find_crossing": lambda given: kd.find_crossing(ENSEMBLE, given),
    "discriminate": lambda given: kd.discriminate(given, ENSEMBLE),
    "learn_phase": lambda given: kd.learn_phase([given], [ENSEMBLE]),
    "MultiHistogram": lambda given: kd.MultiHistogram([ENSEMBLE, given]),
}


@pytest.mark.parametrize("name", OF_AN_ENSEMBLE)
@pytest.mark.parametrize("given", [FIELDS, PHI4, "runs/l32"], ids=["fields", "action", "folder"])
def test_what_is_no_ensemble_is_refused(name: str, given: Any) -> None:
    with pytest.raises(kd.KadanoffError, match="is no ensemble: kd.sample draws one"):
        OF_AN_ENSEMBLE[name](given)


@pytest.mark.parametrize(
    "call",
    [
        lambda: kd.block(ENSEMBLE, kd.Majority),
        lambda: kd.learn_inverse(ENSEMBLE, "majority"),
        lambda: kd.stability_matrix(ENSEMBLE, PHI4),
        lambda: kd.match_steps(ENSEMBLE, ENSEMBLE, None),
        lambda: kd.fixed_point(PHI4, RULE, kd.Lattice((8, 8))),
    ],
)
def test_what_is_no_rule_is_refused(call: Callable[[], Any]) -> None:
    with pytest.raises(kd.KadanoffError, match=r"is no blocking rule: give an instance of one"):
        call()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ENSEMBLE.observables("binder"), r"names=\('binder',\)"),
        (lambda: ENSEMBLE.observables(3), "takes a sequence, and 3 is none"),
        (lambda: ENSEMBLE.observe(FIELDS), "unknown observable"),
        (lambda: kd.derivative(ENSEMBLE, "binder", 3), "a coupling is told by its name"),
        (lambda: kd.learn_phase(ENSEMBLE, ENSEMBLE), r"give \[ensemble\]"),
        (lambda: kd.certificate(kd.Levels((ENSEMBLE,)), ENSEMBLE), "by their sides"),
        (lambda: kd.reweight_along(ENSEMBLE, PHI4, [0.1]), "one action alone is for kd.reweight"),
        (lambda: kd.reweight_along(ENSEMBLE, "beta", [0.1]), "no scalar coupling 'beta'"),
        (lambda: kd.reweight_external(ENSEMBLE, "binder", "strong"), "is a finite number"),
        (lambda: kd.reweight_external(ENSEMBLE, "binder", np.nan), "is a finite number"),
        (lambda: kd.MultiHistogram(3), "takes a sequence"),
        (lambda: kd.Mixture(kd.Metropolis()), "takes its samplers in a tuple"),
        (lambda: kd.sample(PHI4, (4, 4), target_error="small"), "a relative error between 0 and 1"),
        (lambda: kd.Ensemble(FIELDS, "phi4"), "str is not an action"),
        (lambda: kd.total("phi4", FIELDS[0, 0]), "str is not an action"),
        (lambda: kd.gradient(None, FIELDS[0, 0]), "NoneType is not an action"),
        (lambda: kd.conjugate(3, FIELDS[0, 0]), "int is not an action"),
        (
            lambda: kd.free_energy(kd.LongerRangePhi4(1.0, 0.7, 1j), kd.Lattice((4, 4)), chains=2),
            "sampling needs a probability",
        ),
    ],
)
def test_other_arguments_of_a_wrong_kind_are_refused(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(kd.KadanoffError, match=said):
        call()
