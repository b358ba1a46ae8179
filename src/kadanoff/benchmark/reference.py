"""What bounds everything else: bytes that memory moves, and multiplications that convolutions make."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

from kadanoff.benchmark.clock import Line, seconds_a_call

__all__ = ["reference_lines"]

_NUMBERS = 1 << 25  # 128 MiB: beyond every cache
_SIDE, _CHANNELS, _FIELDS = 128, 16, 16


def reference_lines(seconds: float) -> Iterator[Line]:
    """Memory bandwidth of x + 1, and a convolution like those of the inverses."""
    plus_one = jax.jit(lambda x: x + 1, donate_argnums=0)  # in place: new pages would cost more than the sum
    held = [jnp.zeros(_NUMBERS, jnp.float32)]

    def add() -> jax.Array:
        held.append(plus_one(held.pop()))
        return held[0]

    time = seconds_a_call(add, seconds)
    yield Line("memory bandwidth", 8 * _NUMBERS / time / 1e9, "GB/s", "x + 1 on 128 MiB, read and written")
    fields = jnp.ones((_FIELDS, _SIDE, _SIDE, _CHANNELS), jnp.float32)
    weights = jnp.ones((3, 3, _CHANNELS, _CHANNELS), jnp.float32)

    @jax.jit
    def convolution(fields: jax.Array) -> jax.Array:
        form = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(fields, weights, (1, 1), "SAME", dimension_numbers=form)

    time = seconds_a_call(lambda: convolution(fields), seconds)
    flops = 2 * 9 * _CHANNELS**2 * _FIELDS * _SIDE**2
    yield Line("convolution", flops / time / 1e9, "GFLOP/s", f"3 x 3, {_CHANNELS} to {_CHANNELS} channels")
