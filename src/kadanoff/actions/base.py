"""What an action is, and what differentiation makes of it: force, conjugate operators, differences."""

import abc
import warnings
from collections.abc import Callable
from dataclasses import fields
from numbers import Complex, Real
from typing import Any, ClassVar, Protocol, TypeVar, cast, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Inexact, Num

from kadanoff.actions.coupling import named_leaves
from kadanoff.errors import InputError, PrecisionWarning
from kadanoff.lattice import Lattice, sum_of_rolls
from kadanoff.summation import compensated_pair, compensated_sum

__all__ = [
    "Action",
    "FunctionAction",
    "HasDensity",
    "HasInteractionGraph",
    "NearestNeighbourAction",
    "as_action",
    "conjugate",
    "couplings",
    "difference",
    "gradient",
    "has_quartic_sites",
    "has_spins",
    "require_density",
    "shown",
    "total",
    "with_array_leaves",
]


@runtime_checkable
class HasDensity(Protocol):
    """Anything with per-site terms whose sum is S; an Equinox module with a `density` is an action."""

    def density(self, field: Float[Array, "..."]) -> Float[Array, "..."]:
        """Per-site terms of S for one field."""
        ...


class Action(eqx.Module):
    """A distribution p = exp(-S(phi; g))/Z: the numbers and arrays among the fields are the couplings g, `density`
    gives the terms of S. A number that is no coupling, such as a power, is declared `eqx.field(static=True)`.

    That is enough for hybrid Monte Carlo. A `NearestNeighbourAction` has every update; other pairs of sites have
    local ones by an interaction graph, see `HasInteractionGraph`.
    """

    #: Whether a site takes the values +1 and -1 only; else it takes every real number.
    spins: ClassVar[bool] = False

    #: Names of couplings that bound the action from below while they are positive; learning keeps them so.
    positive: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def density(self, field: Num[Array, "..."]) -> Inexact[Array, "..."]:
        """Per-site terms of S for one field of the lattice's shape."""


class NearestNeighbourAction(Action):
    """S = sum_x V(phi_x) - kappa sum_<xy> phi_x phi_y: one potential and one hopping term.

    A subclass declares its couplings (`kappa` among them) as fields and gives `potential(phi, dimension)`. It
    then runs through every local, cluster and hybrid Monte Carlo update.

    >>> import kadanoff as kd
    >>> class Free(kd.NearestNeighbourAction):
    ...     mass2: float
    ...     kappa: float = 1.0
    ...     def potential(self, phi, dimension):
    ...         return 0.5 * (self.mass2 + 2 * dimension * self.kappa) * phi**2
    >>> import jax.numpy as jnp
    >>> float(kd.total(Free(1.0), jnp.ones((4, 4))))
    8.0
    """

    kappa: eqx.AbstractVar[Any]

    @abc.abstractmethod
    def potential(self, phi: Num[Array, "..."], dimension: int) -> Inexact[Array, "..."]:
        """V(phi), elementwise, on a lattice of the given dimension."""

    def density(self, field: Num[Array, "..."]) -> Inexact[Array, "..."]:
        """V(phi_x) - kappa phi_x sum_mu phi_{x+mu}."""
        forward = sum_of_rolls(field, field.ndim, (-1,))
        return self.potential(field, field.ndim) - self.kappa * field * forward


@runtime_checkable
class HasInteractionGraph(Protocol):
    """An action on any lattice that gives itself as pairs of a graph, of whatever range.

    `HeatBath` and `Metropolis` ask for it, and update the sites of each colour of that graph together; `sample` takes
    the heat bath. `on(lattice)` returns an `InhomogeneousIsing`, or an `InhomogeneousPhi4` for real fields, with a
    graph of the lattice's shape, and the same S as `density` (a subclass changes both); couplings may be traced.

    >>> import kadanoff as kd
    >>> from typing import ClassVar
    >>> class FrustratedRing(kd.Action):
    ...     near: float
    ...     far: float
    ...     spins: ClassVar[bool] = True
    ...     def on(self, lattice):
    ...         graph = kd.Graph.periodic(lattice.shape, [(1,), (2,)])
    ...         return kd.InhomogeneousIsing(graph, jnp.repeat(jnp.array([self.near, self.far]), lattice.volume))
    ...     def density(self, field):
    ...         return self.on(kd.Lattice(field.shape)).density(field)
    >>> kd.sample(FrustratedRing(0.4, -0.3), kd.Lattice(12), chains=8, draws=4, thermalize=10).spins
    True
    """

    def on(self, lattice: Lattice) -> Action:
        """The same model as pairs of a graph of the lattice's sites."""
        ...


class FunctionAction(Action):
    """A bare function S(field); summed by whoever wrote it, so differences of S carry its rounding."""

    function: Callable[[Array], Array] = eqx.field(static=True)

    def density(self, field: Float[Array, "..."]) -> Inexact[Array, "..."]:
        """Spread S evenly over the sites, so that the terms sum to S; `InputError` when S is no single number."""
        value = jnp.asarray(self.function(field))
        if value.shape:
            raise InputError(
                f"{getattr(self.function, '__name__', 'the function')}(field) returned the shape {value.shape} "
                "where S is a single number; sum it over the sites"
            )
        return jnp.full(field.shape, value / field.size)


ActionType = TypeVar("ActionType")


def as_action(action: Any) -> Any:
    """Accept an action, or wrap a bare function S(field) with a `PrecisionWarning`; else `InputError`.

    >>> import warnings, jax.numpy as jnp
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     wrapped = as_action(lambda field: jnp.sum(field**2))
    >>> type(wrapped).__name__
    'FunctionAction'
    """
    if isinstance(action, type):
        raise InputError(
            f"{action.__name__} is the class of an action: give it couplings, {action.__name__}(...)"
        )
    if hasattr(action, "density"):
        return action
    if callable(action):
        warnings.warn(
            "a bare function S(field) is summed in float32: give a module with `density` (per-site terms) "
            "for differences of S that stay accurate on large lattices",
            PrecisionWarning,
            stacklevel=3,
        )
        return FunctionAction(cast(Callable[[Array], Array], action))
    raise InputError(
        f"{type(action).__name__} is not an action: it has neither `density(field)` nor is it a function"
    )


def require_density(action: HasDensity, shape: tuple[int, ...]) -> Any:
    """Give the type of the density of an action on real fields of a shape, without computing anything.

    Raises `InputError` in one line for an action that fails on such a field, or has not one term a site.

    >>> import kadanoff as kd
    >>> require_density(kd.Phi4(-0.9515, 0.7), (4, 4)).shape
    (4, 4)
    """
    name = type(action).__name__
    if isinstance(action, FunctionAction):
        name = getattr(action.function, "__name__", name)
    try:
        density = jax.eval_shape(action.density, jax.ShapeDtypeStruct(shape, jnp.float32))
    except InputError:
        raise
    except Exception as error:
        said = str(error).strip().split("\n")[0]
        raise InputError(
            f"the action {name} fails on a field of shape {shape} ({type(error).__name__}: {said}); "
            "write it with jax.numpy, for one field"
        ) from error
    if density.shape != shape:
        raise InputError(
            f"the density of {name} has the shape {density.shape} on a field of shape {shape}; "
            "give one term for every site"
        )
    return density


def has_spins(action: Any) -> bool:
    """Whether the sites of an action take the values +1 and -1 only."""
    return bool(getattr(action, "spins", False))


def has_quartic_sites(action: Any) -> bool:
    """Whether the potential of a site is a x^2 + b x^4, with (a, b) as the action's `site_couplings(dimension)`.

    A class that changes the potential of its parent must give site couplings again to be believed.

    >>> import kadanoff as kd
    >>> class Tilted(kd.Phi4):
    ...     def potential(self, phi, dimension):
    ...         return super().potential(phi, dimension) - 0.1 * phi
    >>> has_quartic_sites(kd.Phi4(-0.9515, 0.7)), has_quartic_sites(Tilted(-0.9515, 0.7))
    (True, False)
    """
    for kind in type(action).__mro__:
        if "site_couplings" in vars(kind) or "potential" in vars(kind):
            return "site_couplings" in vars(kind)
    return False


def total(action: HasDensity, field: Num[Array, "..."]) -> Inexact[Array, ""]:
    """S(field), summed without float32 loss."""
    return compensated_sum(as_action(action).density(field))


def gradient(action: HasDensity, field: Float[Array, "..."]) -> Inexact[Array, "..."]:
    """dS/dphi at every site, by automatic differentiation; complex for a complex action."""
    action = as_action(action)
    real = jax.grad(lambda phi: jnp.sum(jnp.real(action.density(phi))))(field)
    if not jnp.iscomplexobj(jax.eval_shape(action.density, field)):
        return real
    return real + 1j * jax.grad(lambda phi: jnp.sum(jnp.imag(action.density(phi))))(field)


def conjugate(action: ActionType, field: Float[Array, "..."]) -> ActionType:
    """The operators conjugate to the couplings, dS/dg, a module of the type of the action; complex for a complex one.

    >>> import kadanoff as kd, jax.numpy as jnp
    >>> float(conjugate(kd.Phi4(-0.9515, 0.7), jnp.ones((4, 4))).mass2)
    8.0
    """
    action = with_array_leaves(as_action(action))
    real = eqx.filter_grad(lambda a: jnp.real(total(a, field)))(action)
    if not jnp.iscomplexobj(jax.eval_shape(action.density, field)):  # pyright: ignore[reportAttributeAccessIssue]
        return real
    imaginary = eqx.filter_grad(lambda a: jnp.imag(total(a, field)))(action)
    own = eqx.filter(action, eqx.is_inexact_array)
    # By a complex coupling, in which S is analytic, JAX gives dS/dg from the real part alone.
    return jax.tree_util.tree_map(
        lambda g, re, im: re if jnp.iscomplexobj(g) else re + 1j * im, own, real, imaginary
    )


def couplings(action: Any) -> dict[str, complex | list]:
    """The couplings of an action by name, as plain numbers for records and messages."""
    leaves = named_leaves(eqx.filter(with_array_leaves(action), eqx.is_inexact_array))
    return {name: jnp.asarray(leaf).tolist() for name, leaf in leaves}


def shown(action: Any) -> str:
    """An action with its couplings as they were typed: the shortest decimals that give the same numbers.

    >>> import kadanoff as kd
    >>> shown(kd.Ising(0.1))
    'Ising(beta=0.1)'
    """
    given = {entry.name: getattr(action, entry.name) for entry in fields(action)}
    if any(isinstance(value, Tracer) for value in given.values()):
        return f"{type(action).__name__}(...)"
    numbers = {name: np.asarray(value) for name, value in given.items()}
    texts = (f"{name}={repr(given[name]) if n.ndim else str(n[()])}" for name, n in numbers.items())
    return f"{type(action).__name__}({', '.join(texts)})"


def difference(
    action: HasDensity, other: HasDensity, field: Num[Array, "..."]
) -> tuple[Inexact[Array, ""], Inexact[Array, ""]]:
    """action - other at one field as a compensated pair: subtracted at every site before the sum."""
    return compensated_pair(action.density(field) - other.density(field))


def with_array_leaves(action: Any) -> Any:
    """Turn numbers into arrays, so that couplings given as plain ones, whole or complex too, are differentiated.

    >>> with_array_leaves([-1, 0.5, True])
    [Array(-1., dtype=float32, weak_type=True), Array(0.5, dtype=float32, weak_type=True), True]
    """
    return jax.tree_util.tree_map(_as_array, action)


def _as_array(leaf: Any) -> Any:
    number = isinstance(leaf, Complex) and not isinstance(leaf, bool)
    return jnp.asarray(float(leaf) if isinstance(leaf, Real) else complex(leaf)) if number else leaf
