"""Connected components of bonds on periodic lattices, for many chains at once, on any device.

On a CPU `kadanoff.compiled.clusters` joins them by union-find instead.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32

__all__ = ["components"]


def components(bonds: Bool[Array, "chain d *lattice"]) -> Int32[Array, "chain *lattice"]:
    """Label every site by the smallest site number of its component; bonds[:, mu] joins x and x + e_mu.

    By hooking onto the smallest neighbouring label and pointer jumping.

    >>> import jax.numpy as jnp
    >>> components(jnp.array([[[True, False, False, True]]])).tolist()
    [[0, 0, 2, 0]]
    """
    chains, dimension, *shape = bonds.shape
    volume = int(np.prod(shape))
    sites = jnp.arange(volume, dtype=jnp.int32).reshape(shape)
    first = jnp.broadcast_to(sites, (chains, *shape))
    backward = jnp.stack([jnp.roll(bonds[:, mu], 1, mu + 1) for mu in range(dimension)], axis=1)

    def smallest(labels: Array) -> Array:
        best = labels
        for mu in range(dimension):
            best = jnp.where(bonds[:, mu], jnp.minimum(best, jnp.roll(labels, -1, mu + 1)), best)
            best = jnp.where(backward[:, mu], jnp.minimum(best, jnp.roll(labels, 1, mu + 1)), best)
        return best

    def body(state: tuple[Array, Array]) -> tuple[Array, Array]:
        labels, _ = state
        flat, hooked = labels.reshape(chains, volume), smallest(labels).reshape(chains, volume)
        roots = jax.vmap(lambda own, at, new: own.at[at].min(new))(flat, flat, hooked)
        roots = jnp.minimum(roots, hooked)
        for _ in range(2):
            roots = jnp.take_along_axis(roots, roots, axis=1)
        new = roots.reshape(labels.shape)
        return new, jnp.any(new != labels)

    return jax.lax.while_loop(lambda state: state[1], body, (first, jnp.array(True)))[0]
