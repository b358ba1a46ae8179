"""States of a layer times the links: looked up on CPUs where the units have two levels."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from kadanoff.compiled.foreign import call, either, threads
from kadanoff.compiled.products import product_plan, state_products
from kadanoff.compiled.purposes import PRODUCTS
from kadanoff.network.units import Unit
from kadanoff.products import matmul

__all__ = ["state_outer", "state_product"]

_FEWEST = 64  # rows of a result for which tables of sums are worth making


def state_product(
    layer: Unit, x: Float[Array, "*batch units"], w: Float[Array, "..."], turned: bool = False
) -> Float[Array, "*batch others"]:
    """x w for states x of a layer, up to rounding; w (units, others), or (others, units) where it is `turned`.

    Nothing is differentiated through it.

    >>> from kadanoff.network.units import BernoulliUnit
    >>> states = jnp.array([[1.0, 0.0], [1.0, 1.0]])
    >>> state_product(BernoulliUnit(jnp.zeros(2)), states, jnp.array([[2.0], [3.0]])).ravel().tolist()
    [2.0, 5.0]
    """
    others = w.shape[0] if turned else w.shape[1]
    return _product(x, x[:0], w, (len(x), others), layer, False, turned)


def state_outer(
    layer: Unit,
    x: Float[Array, "first units"],
    more: Float[Array, "second units"],
    y: Float[Array, "sample others"],
) -> Float[Array, "units others"]:
    """(x, more)^T y for states of a layer, up to rounding. Nothing is differentiated through it."""
    return _product(x, more, y, (x.shape[1], y.shape[1]), layer, True, False)


def _product(
    x: Array, more: Array, w: Array, size: tuple[int, int], layer: Unit, transposed: bool, turned: bool
) -> Array:
    def compiled(x: Array, more: Array, w: Array) -> Array:
        levels = jnp.array(layer.levels, jnp.float32)
        plan = product_plan(size[1], threads(), transposed, turned)
        return call(state_products, jax.ShapeDtypeStruct(size, jnp.float32), (x, more, w, levels), plan)

    plain = partial(_plain, transposed=transposed, turned=turned)
    worth = x.ndim == 2 and size[0] >= _FEWEST and x.size * size[1] >= PRODUCTS
    known = layer.levels is not None and x.dtype == more.dtype == w.dtype == jnp.float32
    return either(compiled, plain, x, more, w, when=worth and known)


def _plain(x: Array, more: Array, w: Array, transposed: bool, turned: bool) -> Array:
    return matmul(jnp.concatenate([x, more]).T if transposed else x, w.T if turned else w)
