"""Couplings about offsets, which running means of both layers are: learning does not see where the data's zero is.

Source: J. Melchior, A. Fischer, L. Wiskott, JMLR 17 (2016) 99.
"""

from typing import Any

import equinox as eqx
from jaxtyping import Array

from kadanoff.network.model import Phi4Network
from kadanoff.products import matmul

__all__ = ["moved", "network_about", "network_of", "recentred"]

_OFFSET_RATE = 0.01  # of the running means


def network_about(
    template: Phi4Network, values: dict[str, Any], offsets: tuple[Array, Array] | None
) -> Phi4Network:
    """The network of values whose linear couplings belong to deviations from the offsets, where there are some.

    -(v - c) w (h - d) + r' v + s' h is the action with r = r' + w d and s = s' + w^T c, up to a constant.
    """
    network = template.constrained(values)
    if offsets is None:
        return network
    at_zero = moved(values, network.w, offsets, -1.0)
    return template.constrained(at_zero)


#: `network_about` as one program.
network_of = eqx.filter_jit(network_about)


def moved(values: dict[str, Any], w: Array, offsets: tuple[Array, Array], sign: float) -> dict[str, Any]:
    """Linear couplings about the offsets (sign +1), or about zero (-1)."""
    visible, hidden = values["visible"], values["hidden"]
    return {
        "w": values["w"],
        "visible": {**visible, "r": visible["r"] - matmul(sign * w, offsets[1])},
        "hidden": {**hidden, "r": hidden["r"] - matmul(sign * w.T, offsets[0])},
    }


def recentred(
    template: Phi4Network, values: dict[str, Any], offsets: tuple[Array, Array], data: Array
) -> tuple[dict[str, Any], tuple[Array, Array]]:
    """Move the offsets towards the means of a batch; the network stays as it is."""
    network = network_about(template, values, offsets)
    means = (data.mean(axis=0), network.hidden_mean(data).mean(axis=0))
    after = tuple(old + _OFFSET_RATE * (mean - old) for old, mean in zip(offsets, means, strict=True))
    shift = tuple(new - old for new, old in zip(after, offsets, strict=True))
    return moved(values, network.w, shift, 1.0), after  # pyright: ignore[reportArgumentType, reportReturnType]
