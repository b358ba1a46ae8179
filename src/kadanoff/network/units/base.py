"""What a layer of units is: independent sites, exp(h x - energy(x)), under a field h that the other layer makes."""

import abc
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from kadanoff.errors import InputError
from kadanoff.products import matmul

__all__ = ["Unit"]


class Unit(eqx.Module):
    """A layer of independent units of one type, each with couplings of its own, shape (units,).

    A type is one file with one class. It gives the energy of a value, and what follows from exp(h x - energy(x)) under
    a field h: the log-partition function, mean, variance and exact draws. Arrays x and h have the shape (..., units).
    """

    #: Name of the type.
    name: ClassVar[str]
    #: The values that a unit can take; None for every real number.
    levels: ClassVar[tuple[float, ...] | None] = None

    r: eqx.AbstractVar[Float[Array, " units"]]

    @property
    def size(self) -> int:
        """How many units there are."""
        return self.r.shape[-1]

    @abc.abstractmethod
    def energy(self, x: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """The terms of S of every unit alone."""

    @abc.abstractmethod
    def log_partition(self, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """ln of the sum, or the integral, of exp(h x - energy(x)) over x."""

    @abc.abstractmethod
    def mean(self, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """<x> in the field h."""

    @abc.abstractmethod
    def variance(self, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """<x^2> - <x>^2 in the field h."""

    @abc.abstractmethod
    def draw(self, key: PRNGKeyArray, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """Draw independent, exact samples in the field h."""

    def redraw(
        self, key: PRNGKeyArray, current: Float[Array, "... units"], h: Float[Array, "... units"]
    ) -> Float[Array, "... units"]:
        """Update a chain in the field h, leaving its distribution invariant; a type may do so without drawing all."""
        return self.draw(key, h)

    @abc.abstractmethod
    def conjugate(self, x: Float[Array, "... units"]) -> dict[str, Float[Array, "... units"]]:
        """The statistics conjugate to the couplings, dS/dg of every unit, by the name of the coupling."""

    @abc.abstractmethod
    def unconstrained(self) -> dict[str, Float[Array, " units"]]:
        """The couplings as numbers that may take any value, for training."""

    @classmethod
    @abc.abstractmethod
    def constrained(cls, values: dict[str, Float[Array, " units"]]) -> "Unit":
        """The layer of `unconstrained` numbers, whatever they are: it always has a normalisable density."""

    @classmethod
    @abc.abstractmethod
    def start(cls, units: int) -> "Unit":
        """The layer from which a hidden layer starts to learn."""

    @classmethod
    @abc.abstractmethod
    def fitted(cls, x: Float[Array, "sample units"], weight: Float[Array, " sample"] | None = None) -> "Unit":
        """The independent units of highest likelihood on weighted data; real ones on data blurred by `blur`."""

    @classmethod
    def check_data(cls, x: np.ndarray) -> None:
        """Raise `InputError` where data hold values that a unit of this type cannot take."""
        if cls.levels is not None and not np.isin(x, cls.levels).all():
            values = " and ".join(f"{level:g}" for level in cls.levels)
            raise InputError(
                f"{cls.name} units take the values {values} only, but the data hold others "
                f"(from {x.min():g} to {x.max():g}); binarise them, or choose phi4 or gaussian units"
            )


def average(
    x: Float[Array, "sample units"], weight: Float[Array, " sample"] | None
) -> Float[Array, " units"]:
    """The mean over samples, weighted where there are weights (which are normalised here)."""
    return x.mean(axis=0) if weight is None else matmul(weight, x) / weight.sum()


def blur(x: Float[Array, "sample units"], weight: Float[Array, " sample"] | None) -> Float[Array, ""]:
    """A twentieth of the largest standard deviation of the units: what is narrower is not resolved by a start."""
    variance = average((x - average(x, weight)) ** 2, weight)
    return jnp.maximum(jnp.sqrt(variance.max()) / 20, 1e-6)


def require_finite(layer: Unit, **couplings: Array) -> None:
    """Raise `InputError` for couplings that are not finite vectors of one length; traced ones pass."""
    for name, value in couplings.items():
        if value.ndim != 1 or value.shape != layer.r.shape:
            raise InputError(
                f"the couplings of a layer are vectors of one length, but {name} has shape {value.shape} "
                f"beside r of shape {layer.r.shape}"
            )
        if not isinstance(value, Tracer) and not np.isfinite(np.asarray(value)).all():
            raise InputError(
                f"coupling {name} of {layer.name} units holds NaN or infinity; give finite numbers"
            )


def vectors(*values: ArrayLike) -> tuple[Array, ...]:
    """Make floating arrays of the couplings of a layer, spread to one shape and of one type."""
    kind = jnp.result_type(*values, float)
    return tuple(jnp.broadcast_arrays(*(jnp.asarray(value, dtype=kind) for value in values)))
