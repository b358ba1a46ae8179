"""How the model's side of the gradient is sampled, one way a file."""

from kadanoff.errors import InputError
from kadanoff.network.chains.base import Chains, Drawn
from kadanoff.network.chains.contrastive import ContrastiveDivergence
from kadanoff.network.chains.persistent import Persistent
from kadanoff.network.chains.tempered import Tempered
from kadanoff.whole import whole

__all__ = ["CHAINS", "Chains", "ContrastiveDivergence", "Drawn", "Persistent", "Tempered", "chains_of"]

#: The ways by the names that options use.
CHAINS: dict[str, type[Chains]] = {
    "contrastive divergence": ContrastiveDivergence,
    "persistent": Persistent,
    "tempering": Tempered,
}


def chains_of(name: str, steps: int = 1) -> Chains:
    """Make the chains of a name; `InputError` for an unknown one, and for steps that are no whole number from 1 on.

    >>> chains_of("persistent", 2)
    Persistent(steps=2)
    """
    if not isinstance(name, str) or name not in CHAINS:
        raise InputError(f"unknown training {name!r}; choose one of {', '.join(CHAINS)}")
    return CHAINS[name](steps=whole("steps", steps, least=1))  # pyright: ignore[reportCallIssue]
