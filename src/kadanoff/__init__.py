"""Grow critical lattices, learn actions, measure exponents: the renormalization group, run backwards."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kadanoff import exact as exact
    from kadanoff import store as store
    from kadanoff.actions import Action as Action
    from kadanoff.actions import FunctionAction as FunctionAction
    from kadanoff.actions import InhomogeneousIsing as InhomogeneousIsing
    from kadanoff.actions import InhomogeneousPhi4 as InhomogeneousPhi4
    from kadanoff.actions import Ising as Ising
    from kadanoff.actions import LongerRangeIsing as LongerRangeIsing
    from kadanoff.actions import LongerRangePhi4 as LongerRangePhi4
    from kadanoff.actions import MarkovRandomField as MarkovRandomField
    from kadanoff.actions import NearestNeighbourAction as NearestNeighbourAction
    from kadanoff.actions import Phi4 as Phi4
    from kadanoff.actions import conjugate as conjugate
    from kadanoff.actions import gradient as gradient
    from kadanoff.actions import total as total
    from kadanoff.ensemble import Ensemble as Ensemble
    from kadanoff.errors import KadanoffError as KadanoffError
    from kadanoff.graph import Graph as Graph
    from kadanoff.lattice import Lattice as Lattice
    from kadanoff.learning import DataFit as DataFit
    from kadanoff.learning import VariationalFit as VariationalFit
    from kadanoff.learning import fit_data as fit_data
    from kadanoff.learning import fit_variational as fit_variational
    from kadanoff.learning import natural_gradient as natural_gradient
    from kadanoff.learning.partition import free_energy as free_energy
    from kadanoff.markov import canonical_potentials as canonical_potentials
    from kadanoff.markov import markov_property as markov_property
    from kadanoff.network import Phi4Network as Phi4Network
    from kadanoff.network.estimator import Phi4RBM as Phi4RBM
    from kadanoff.observables import Observable as Observable
    from kadanoff.quartic import QuarticSite as QuarticSite
    from kadanoff.renormalization import BlockGaussian as BlockGaussian
    from kadanoff.renormalization import BlockingRule as BlockingRule
    from kadanoff.renormalization import BlockMean as BlockMean
    from kadanoff.renormalization import BlockSum as BlockSum
    from kadanoff.renormalization import CompatibleMonteCarlo as CompatibleMonteCarlo
    from kadanoff.renormalization import Decimation as Decimation
    from kadanoff.renormalization import ImportanceWeights as ImportanceWeights
    from kadanoff.renormalization import LearntInverse as LearntInverse
    from kadanoff.renormalization import Levels as Levels
    from kadanoff.renormalization import Majority as Majority
    from kadanoff.renormalization import MajorityMean as MajorityMean
    from kadanoff.renormalization import Matching as Matching
    from kadanoff.renormalization import NeuralObservable as NeuralObservable
    from kadanoff.renormalization import Operator as Operator
    from kadanoff.renormalization import RandomMajoritySite as RandomMajoritySite
    from kadanoff.renormalization import Relaxation as Relaxation
    from kadanoff.renormalization import SoftMajority as SoftMajority
    from kadanoff.renormalization import block as block
    from kadanoff.renormalization import certificate as certificate
    from kadanoff.renormalization import critical_exponents as critical_exponents
    from kadanoff.renormalization import discriminate as discriminate
    from kadanoff.renormalization import find_crossing as find_crossing
    from kadanoff.renormalization import fixed_point as fixed_point
    from kadanoff.renormalization import grow as grow
    from kadanoff.renormalization import importance_weights as importance_weights
    from kadanoff.renormalization import learn_inverse as learn_inverse
    from kadanoff.renormalization import learn_phase as learn_phase
    from kadanoff.renormalization import match as match
    from kadanoff.renormalization import match_steps as match_steps
    from kadanoff.renormalization import stability_matrix as stability_matrix
    from kadanoff.reweighting.multihistogram import MultiHistogram as MultiHistogram
    from kadanoff.reweighting.overlap import Overlap as Overlap
    from kadanoff.reweighting.overlap import overlap as overlap
    from kadanoff.reweighting.response import derivative as derivative
    from kadanoff.reweighting.target import reweight as reweight
    from kadanoff.reweighting.target import reweight_external as reweight_external
    from kadanoff.reweighting.trajectory import Trajectory as Trajectory
    from kadanoff.reweighting.trajectory import reweight_along as reweight_along
    from kadanoff.runs import open_ensemble as open_ensemble
    from kadanoff.sampling import ColourBlock as ColourBlock
    from kadanoff.sampling import HeatBath as HeatBath
    from kadanoff.sampling import HybridMonteCarlo as HybridMonteCarlo
    from kadanoff.sampling import LocalAndCluster as LocalAndCluster
    from kadanoff.sampling import Metropolis as Metropolis
    from kadanoff.sampling import Mixture as Mixture
    from kadanoff.sampling import SwendsenWang as SwendsenWang
    from kadanoff.sampling import Tempering as Tempering
    from kadanoff.sampling import Wolff as Wolff
    from kadanoff.sampling import sample as sample
    from kadanoff.saved_models import load_model as load_model
    from kadanoff.saved_models import save_model as save_model
    from kadanoff.statistics import Estimate as Estimate

__version__ = "0.1.0"

#: Public names by the module that holds them; a module is imported when one of its names is first used.
_HOMES = {
    "actions": (
        "Action",
        "FunctionAction",
        "InhomogeneousIsing",
        "InhomogeneousPhi4",
        "Ising",
        "LongerRangeIsing",
        "LongerRangePhi4",
        "MarkovRandomField",
        "NearestNeighbourAction",
        "Phi4",
        "conjugate",
        "gradient",
        "total",
    ),
    "ensemble": ("Ensemble",),
    "errors": ("KadanoffError",),
    "graph": ("Graph",),
    "lattice": ("Lattice",),
    "learning": ("DataFit", "VariationalFit", "fit_data", "fit_variational", "natural_gradient"),
    "learning.partition": ("free_energy",),
    "markov": ("canonical_potentials", "markov_property"),
    "network": ("Phi4Network",),
    "network.estimator": ("Phi4RBM",),
    "observables": ("Observable",),
    "quartic": ("QuarticSite",),
    "renormalization": (
        "BlockGaussian",
        "BlockMean",
        "BlockSum",
        "BlockingRule",
        "CompatibleMonteCarlo",
        "Decimation",
        "ImportanceWeights",
        "LearntInverse",
        "Levels",
        "Majority",
        "MajorityMean",
        "Matching",
        "NeuralObservable",
        "Operator",
        "RandomMajoritySite",
        "Relaxation",
        "SoftMajority",
        "block",
        "certificate",
        "critical_exponents",
        "discriminate",
        "find_crossing",
        "fixed_point",
        "grow",
        "importance_weights",
        "learn_inverse",
        "learn_phase",
        "match",
        "match_steps",
        "stability_matrix",
    ),
    "reweighting.multihistogram": ("MultiHistogram",),
    "reweighting.overlap": ("Overlap", "overlap"),
    "reweighting.response": ("derivative",),
    "reweighting.target": ("reweight", "reweight_external"),
    "reweighting.trajectory": ("Trajectory", "reweight_along"),
    "sampling": (
        "ColourBlock",
        "HeatBath",
        "HybridMonteCarlo",
        "LocalAndCluster",
        "Metropolis",
        "Mixture",
        "SwendsenWang",
        "Tempering",
        "Wolff",
        "sample",
    ),
    "runs": ("open_ensemble",),
    "saved_models": ("load_model", "save_model"),
    "statistics": ("Estimate",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

#: Modules that are used by their own name, as in `kd.exact.kaufman`.
_MODULES = ("exact", "store")

__all__ = [*sorted(_HOME_OF), *_MODULES, "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import the module of a public name on first use."""
    if name in _MODULES:
        return importlib.import_module(f"kadanoff.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'kadanoff' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"kadanoff.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return list(__all__)
