"""Markov chain updates, one algorithm a file, and the run loop."""

from kadanoff.sampling.cluster import SwendsenWang, Wolff
from kadanoff.sampling.colour_block import ColourBlock
from kadanoff.sampling.heat_bath import HeatBath
from kadanoff.sampling.hmc import HybridMonteCarlo
from kadanoff.sampling.metropolis import Metropolis
from kadanoff.sampling.mixture import LocalAndCluster, Mixture, MixtureInfo
from kadanoff.sampling.run import default_sampler, sample
from kadanoff.sampling.state import ChainState, Info, Sampler, start
from kadanoff.sampling.tempering import LadderReport, Tempering, TemperingInfo, TemperingState

__all__ = [
    "ChainState",
    "ColourBlock",
    "HeatBath",
    "HybridMonteCarlo",
    "Info",
    "LadderReport",
    "LocalAndCluster",
    "Metropolis",
    "Mixture",
    "MixtureInfo",
    "Sampler",
    "SwendsenWang",
    "Tempering",
    "TemperingInfo",
    "TemperingState",
    "Wolff",
    "default_sampler",
    "sample",
    "start",
]
