"""What a function computes: its program as JAX traces it, which names, closures and edits do not hide."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

__all__ = ["program_digest"]


def program_digest(function: Callable[..., Any], *arguments: Any) -> str:
    """A digest of the program that a function of arrays (or shapes of such) is, and of the numbers that it holds.

    >>> import jax.numpy as jnp
    >>> one = jax.ShapeDtypeStruct((), jnp.float32)
    >>> digests = [program_digest(lambda x, c=c: c * x, one) for c in (2.0, 2.0, 3.0)]
    >>> digests[0] == digests[1], digests[0] == digests[2]
    (True, False)
    """
    program = jax.make_jaxpr(function)(*arguments)
    digest = hashlib.sha256(re.sub(r"0x[0-9a-f]+", "", str(program.jaxpr)).encode())
    for constant in map(np.asarray, program.consts):
        digest.update(repr((constant.dtype.str, constant.shape)).encode() + constant.tobytes())
    return digest.hexdigest()[:32]
