"""Experiments: one table or figure of the talk a module, each runnable by name (`kadanoff reproduce NAME`).

The first line of a module's docstring is its line in `kadanoff reproduce --list`; its
`run(out, *, quick, seed, progress)` gives a `Result`.
"""

__all__ = ["EXPERIMENTS"]

#: Name on the command line, and the module that holds it (imported only when it is run).
EXPERIMENTS: dict[str, str] = {
    "table1": "kadanoff.experiments.table1",
    "table2": "kadanoff.experiments.table2",
    "blocking": "kadanoff.experiments.blocking",
    "standard-rg": "kadanoff.experiments.standard_rg",
    "matching": "kadanoff.experiments.matching",
    "stability-matrix": "kadanoff.experiments.stability_matrix",
    "multi-histogram": "kadanoff.experiments.multi_histogram",
    "neural-observable": "kadanoff.experiments.neural_observable",
    "ising-limit": "kadanoff.experiments.ising_limit",
    "inverse-flow": "kadanoff.experiments.inverse_flow",
    "inverse-ising": "kadanoff.experiments.inverse_ising",
    "importance": "kadanoff.experiments.importance",
    "degrees-of-freedom": "kadanoff.experiments.degrees_of_freedom",
    "certificate": "kadanoff.experiments.certificate",
    "generalises": "kadanoff.experiments.generalises",
    "network-digits": "kadanoff.experiments.network_digits",
    "network-faces": "kadanoff.experiments.network_faces",
    "learn-homogeneous": "kadanoff.experiments.learn_homogeneous",
    "learn-long-range": "kadanoff.experiments.learn_long_range",
    "reweighting": "kadanoff.experiments.reweighting",
    "recovery": "kadanoff.experiments.recovery",
    "couplings": "kadanoff.experiments.couplings",
    "image": "kadanoff.experiments.image",
    "digits": "kadanoff.experiments.digits",
}
