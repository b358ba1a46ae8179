"""What a variational fit tells of models whose couplings lie in parts of them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.actions import MarkovRandomField
from kadanoff.graph import Graph
from kadanoff.learning import VariationalFit

pytestmark = pytest.mark.exact


class Pair(eqx.Module):
    """psi of a pair with a link of its own strength."""

    strength: jax.Array

    def __call__(self, values):
        return jnp.exp(self.strength * values.prod(axis=-1) - (values**2).sum(axis=-1))


def test_couplings_of_parts_of_a_model_are_shown_and_found_at_every_epoch() -> None:
    model = MarkovRandomField(Graph([(0, 1), (1, 2)]), Pair(jnp.array(0.3)))
    fit = VariationalFit(
        model=model,
        target=model,
        optimiser="natural",
        couplings={"potentials[2].strength": np.array([0.1, 0.2])},
        bound=np.zeros(2),
        bound_error=np.ones(2),
        variance=np.ones(2),
        gradient=np.ones(2),
        noise=np.ones(2),
        converged=True,
        reason="enough",
        fields=np.zeros((1, 3)),
        seconds=0.0,
    )
    assert "potentials[2].strength: mean 0.3, from 0.3 to 0.3" in str(fit)
    assert [fit.at(epoch).potentials[2].strength.item() for epoch in (0, 1)] == pytest.approx([0.1, 0.2])
