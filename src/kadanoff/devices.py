"""Many devices, of one process or of several: chains are dealt out first, then the lattice is cut into slabs.

Random numbers depend on global site and chain numbers only, so the fields are the same however they lie. The compiler
makes the exchange of halos from the rolls of a local update: one row for every neighbour, nothing else.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import gcd
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from kadanoff.errors import InputError

__all__ = [
    "CHAIN",
    "SLAB",
    "everywhere",
    "from_first",
    "is_alone",
    "is_first",
    "join_processes",
    "layout",
    "on_host",
    "require_devices",
    "rolled",
    "spread",
    "use",
    "wait_for_all",
]

CHAIN, SLAB = "chain", "slab"
"""Axes of the mesh of devices."""


def join_processes() -> None:
    """Join the processes that a launcher started, so that their devices are one set; alone it does nothing.

    SLURM is asked by JAX itself (`srun`); elsewhere JAX_COORDINATOR_ADDRESS (host:port of the first process),
    JAX_NUM_PROCESSES and JAX_PROCESS_ID say who belongs together. To be called before JAX computes anything.

    Raises `InputError` where these cannot be used, and where the others do not come.
    """
    if jax.distributed.is_initialized():
        return
    # It would take SIGTERM, which ends a command, for itself.
    jax.config.update("jax_enable_preemption_service", False)
    address = os.environ.get("JAX_COORDINATOR_ADDRESS")
    try:
        if address is not None and "JAX_NUM_PROCESSES" in os.environ:
            count, number = (_number(f"JAX_{name}") for name in ("NUM_PROCESSES", "PROCESS_ID"))
            _require_place(address, count, number)
            jax.distributed.initialize(address, count, number)
        elif int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
            jax.distributed.initialize()
    except (ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        told = str(error).partition("\n")[0]
        raise InputError(
            f"the processes cannot be joined ({told}): see that all of them are started, and reach the first one"
        ) from error


def _number(name: str) -> int:
    text = os.environ.get(name, "")
    if not text.isdecimal():
        raise InputError(f"{name} is {text!r}: with JAX_COORDINATOR_ADDRESS set, give every process a number")
    return int(text)


def _require_place(address: str, count: int, number: int) -> None:
    if not address.rpartition(":")[2].isdecimal() or ":" not in address:
        raise InputError(f"JAX_COORDINATOR_ADDRESS is {address!r}: give host:port of the first process")
    if number >= count:
        raise InputError(f"JAX_PROCESS_ID is {number} of {count} processes: they count from 0 to {count - 1}")


def require_devices(devices: int) -> list[Any]:
    """The first so many devices of all processes; `InputError` where there are fewer, or some would be left idle."""
    there = jax.devices()
    if devices < 1:
        raise InputError(f"the number of devices must be positive, got {devices}")
    if devices > len(there):
        raise InputError(f"{devices} devices were asked for, and there are {len(there)}: ask for fewer")
    if not is_alone() and devices != len(there):
        raise InputError(
            f"{jax.process_count()} processes share {len(there)} devices: ask for all of them, not for {devices}"
        )
    return there[:devices]


def layout(devices: int, chains: int, sides: Sequence[int], slabs: bool) -> Mesh:
    """A mesh (chain, slab) of so many devices for fields (chain, *sides), as many of them along chains as divide.

    Raises `InputError` where there are fewer devices, where they cannot share the work evenly, or where slabs would be
    needed and the update (`slabs`) has none.

    >>> dict(layout(1, 16, (32, 32), slabs=True).shape)
    {'chain': 1, 'slab': 1}
    """
    there = require_devices(devices)
    across = gcd(devices, chains)
    cut = devices // across
    # Slabs of an even height, so that a checkerboard is the same in all of them.
    if cut > 1 and not slabs:
        raise InputError(
            f"{devices} devices cannot share {chains} chains evenly, and this update cannot share a lattice: give a "
            f"multiple of {devices} chains, or a sampler of local updates"
        )
    if cut > 1 and sides[0] % (2 * cut):
        raise InputError(
            f"{devices} devices cannot share {chains} chains of side {sides[0]} evenly: give a multiple of {devices} "
            f"chains, or a side that {2 * cut} divides"
        )
    return Mesh(np.array(there).reshape(across, cut), (CHAIN, SLAB))


@contextmanager
def use(mesh: Mesh | None) -> Iterator[None]:
    """Scope in which computations know the mesh; None is no mesh."""
    if mesh is None:
        yield
        return
    with jax.set_mesh(mesh):
        yield


def spread(mesh: Mesh, value: Any, *axes: str | None) -> Any:
    """Lay an array, the same in every process, out over the devices: its axes along those of the mesh, or whole."""
    sharding = NamedSharding(mesh, PartitionSpec(*axes))
    if jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key):
        words = spread(mesh, jax.random.key_data(value), *axes)
        return jax.random.wrap_key_data(words, impl=jax.random.key_impl(value))
    held = np.asarray(value)
    return jax.make_array_from_callback(held.shape, sharding, lambda index: held[index])


def everywhere(values: Array) -> Array:
    """The whole array on every device: what is then summed over it has the same order on any number of devices."""
    if jax.sharding.get_abstract_mesh().empty:
        return values
    return jax.lax.with_sharding_constraint(values, PartitionSpec())


def rolled(values: Array, shift: int, axis: int) -> Array:
    """`jnp.roll` along an axis that may be cut into slabs: then every device sends `shift` rows to the next one.

    The compiler finds that exchange by itself for CPUs only; for GPUs it moves whole slabs.

    >>> rolled(jax.numpy.arange(4), 1, 0).tolist()
    [3, 0, 1, 2]
    """
    mesh = jax.sharding.get_abstract_mesh()
    count = mesh.shape[SLAB] if SLAB in mesh.auto_axes else 1
    rows, left = divmod(values.shape[axis], count)
    if count == 1 or left or not 0 < abs(shift) <= rows:
        return jax.numpy.roll(values, shift, axis)
    forward = shift > 0

    def exchange(slab: Array) -> Array:
        low, high = jax.numpy.split(slab, [rows - shift if forward else -shift], axis)
        leaving, staying = (high, low) if forward else (low, high)
        to = [(device, (device + (1 if forward else -1)) % count) for device in range(count)]
        coming = jax.lax.ppermute(leaving, SLAB, to)
        return jax.numpy.concatenate([coming, staying] if forward else [staying, coming], axis)

    lies = PartitionSpec(*[SLAB if each == axis % values.ndim else None for each in range(values.ndim)])
    # Other axes of the mesh stay as they are: chains may be dealt out, or mapped over.
    return jax.shard_map(exchange, in_specs=lies, out_specs=lies, axis_names={SLAB})(values)


def on_host(value: Any) -> np.ndarray:
    """The whole array in the memory of every process."""
    if isinstance(value, jax.Array) and not value.is_fully_addressable:
        return np.asarray(multihost_utils.process_allgather(value, tiled=True))
    return np.asarray(value)


def is_alone() -> bool:
    """Whether there is one process only."""
    return jax.process_count() == 1


def is_first() -> bool:
    """Whether this process is the one that writes and prints."""
    return jax.process_index() == 0


def from_first(make: Callable[[], bytes]) -> bytes:
    """What the first process makes, in all of them; its exception is raised in all, so that nobody waits for ever."""
    if is_alone():
        return make()
    content, problem = b"", None
    if is_first():
        try:
            content = make()
        except Exception as error:
            content, problem = str(error).encode(), error
    count, failed = multihost_utils.broadcast_one_to_all(
        (np.int64(len(content)), np.bool_(problem is not None))
    )
    buffer = np.frombuffer(content, np.uint8) if is_first() else np.zeros(int(count), np.uint8)
    content = np.asarray(multihost_utils.broadcast_one_to_all(buffer)).tobytes()
    if problem is not None:
        raise problem
    if failed:
        raise InputError(content.decode())
    return content


def wait_for_all(what: str) -> None:
    """Return once every process has come here."""
    if not is_alone():
        multihost_utils.sync_global_devices(what)
