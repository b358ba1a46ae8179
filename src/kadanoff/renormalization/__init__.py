"""The renormalization group: blocking down, learnt inverses up, crossings, exponents, certificates."""

from kadanoff.renormalization.blocking import (
    BLOCKING_RULES,
    BlockGaussian,
    BlockingRule,
    BlockMean,
    BlockSum,
    Decimation,
    Majority,
    MajorityMean,
    RandomMajoritySite,
    SoftMajority,
    block,
)
from kadanoff.renormalization.certificate import Certificate, certificate
from kadanoff.renormalization.crossing import Crossing, find_crossing
from kadanoff.renormalization.discriminator import discriminate
from kadanoff.renormalization.exponents import ExponentRow, ExponentTable, combine_seeds, critical_exponents
from kadanoff.renormalization.fixed_points import FixedPoint, fixed_point
from kadanoff.renormalization.importance import ImportanceWeights, importance_weights
from kadanoff.renormalization.inverse import (
    CompatibleMonteCarlo,
    ConditionalDensity,
    ConsistentInverse,
    Inverse,
    LearntInverse,
    Levels,
    Relaxation,
    SpinDensity,
    StochasticInverse,
    grow,
    learn_inverse,
)
from kadanoff.renormalization.matching import Matching, match, match_steps
from kadanoff.renormalization.neural import NeuralObservable, learn_phase
from kadanoff.renormalization.operators import Operator
from kadanoff.renormalization.stability import StabilityRow, StabilityTable, stability_matrix
from kadanoff.reweighting.curves import Curve, reweighted_curve

__all__ = [
    "BLOCKING_RULES",
    "BlockGaussian",
    "BlockMean",
    "BlockSum",
    "BlockingRule",
    "Certificate",
    "CompatibleMonteCarlo",
    "ConditionalDensity",
    "ConsistentInverse",
    "Crossing",
    "Curve",
    "Decimation",
    "ExponentRow",
    "ExponentTable",
    "FixedPoint",
    "ImportanceWeights",
    "Inverse",
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
    "SpinDensity",
    "StabilityRow",
    "StabilityTable",
    "StochasticInverse",
    "block",
    "certificate",
    "combine_seeds",
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
    "reweighted_curve",
    "stability_matrix",
]
