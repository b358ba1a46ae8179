"""Kernels by what they are for: who knows what is to be called has it compiled meanwhile, by `compile_ahead`."""

__all__ = ["DRAWS", "GRAPH_UPDATES", "MEASUREMENTS", "NETWORK", "RELAXATION", "of_updates"]

MEASUREMENTS = ("compensated_sums",)
RELAXATION = ("metropolis",)
DRAWS = ("density_draws", "mixture_draws")
GRAPH_UPDATES = ("graph_heat_bath",)
#: In the order in which training calls them; two processes take about the same time for every second one.
NETWORK = ("quartic_redraws", "state_products", "level_draws")

_LOCAL = {
    ("phi4", "metropolis"): "metropolis",
    ("phi4", "heat-bath"): "heat_bath",
    ("ising", "metropolis"): "spin_metropolis",
    ("ising", "heat-bath"): "spin_heat_bath",
}
_CLUSTERS = ("local-and-cluster", "swendsen-wang", "wolff")


def of_updates(action: str, sampler: str = "auto") -> tuple[str, ...]:
    """Name the kernels of updates, by what the command line calls an action and a sampler; none for others.

    >>> of_updates("ising"), of_updates("phi4", "heat-bath"), of_updates("phi4", "hmc")
    (('clusters',), ('heat_bath',), ())
    """
    if action == "ising" and sampler == "auto":
        return ("clusters",)
    if action in ("phi4", "ising") and sampler in ("auto", *_CLUSTERS):
        return (_LOCAL[action, "metropolis"], "clusters")
    return (_LOCAL[action, sampler],) if (action, sampler) in _LOCAL else ()
