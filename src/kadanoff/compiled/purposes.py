"""Kernels by what they are for: who knows what is to be called has it compiled meanwhile, by `compile_ahead`."""

__all__ = [
    "ANNEALED",
    "DIGITS",
    "DRAWS",
    "GRAPH_UPDATES",
    "KEYS",
    "LEVEL_DRAWS",
    "MEASUREMENTS",
    "PRODUCTS",
    "QUARTIC_DRAWS",
    "RELAXATION",
    "of_network",
    "of_updates",
]

MEASUREMENTS = ("compensated_sums", "field_sums")
KEYS = ("threefry_words",)  #: what programs of updates and draws call first
RELAXATION = (*KEYS, "metropolis")
DRAWS = (*KEYS, "density_draws", "mixture_draws")
GRAPH_UPDATES = (*KEYS, "graph_heat_bath")
#: Draws of units, and multiplications, from which a kernel is worth calling; XLA does fewer in its own way.
QUARTIC_DRAWS, LEVEL_DRAWS, PRODUCTS = 1 << 12, 1 << 14, 1 << 21
ANNEALED = 256  #: chains of an annealing, by default
DIGITS = 64  #: pixels of the bundled digits, taken for the size of a layer before data were read

_LOCAL = {
    ("phi4", "metropolis"): "metropolis",
    ("phi4", "heat-bath"): "heat_bath",
    ("ising", "metropolis"): "spin_metropolis",
    ("ising", "heat-bath"): "spin_heat_bath",
}
_CLUSTERS = ("local-and-cluster", "swendsen-wang", "wolff")


def of_updates(action: str, sampler: str = "auto") -> tuple[str, ...]:
    """Name the kernels of updates, by what the command line calls an action and a sampler; of others that of keys.

    >>> of_updates("ising"), of_updates("phi4", "hmc")
    (('threefry_words', 'clusters'), ('threefry_words',))
    """
    if action == "ising" and sampler == "auto":
        return (*KEYS, "clusters")
    if action in ("phi4", "ising") and sampler in ("auto", *_CLUSTERS):
        return (*KEYS, _LOCAL[action, "metropolis"], "clusters")
    return (*KEYS, _LOCAL[action, sampler]) if (action, sampler) in _LOCAL else KEYS


def of_network(visible: tuple[str, int], hidden: tuple[str, int], samples: int) -> tuple[str, ...]:
    """Name the kernels of a network by its layers, a kind and how many units, and how many samples it sees at once.

    >>> of_network(("phi4", 64), ("bernoulli", 32), 256)
    ('threefry_words', 'quartic_redraws')
    >>> of_network(("bernoulli", 784), ("ising", 500), 100)
    ('threefry_words', 'state_products', 'level_draws')
    """
    draws = [(kind, samples * units) for kind, units in (visible, hidden)]
    quartic = any(kind == "phi4" and count >= QUARTIC_DRAWS for kind, count in draws)
    levels = [count for kind, count in draws if kind in ("bernoulli", "ising")]
    products = bool(levels) and samples * visible[1] * hidden[1] >= PRODUCTS
    level = max(levels, default=0) >= LEVEL_DRAWS
    names = {"quartic_redraws": quartic, "state_products": products, "level_draws": level}
    return (*KEYS, *[name for name, called in names.items() if called])
