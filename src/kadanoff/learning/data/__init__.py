"""Learning from data, KL(q||p): interchangeable methods, one a file."""

from kadanoff.learning.data.contrastive_divergence import ContrastiveDivergence
from kadanoff.learning.data.fit import METHODS, fit_data
from kadanoff.learning.data.likelihood import Likelihood
from kadanoff.learning.data.pseudo_likelihood import PseudoLikelihood
from kadanoff.learning.data.result import DataFit
from kadanoff.learning.data.score_matching import ScoreMatching, score

__all__ = [
    "METHODS",
    "ContrastiveDivergence",
    "DataFit",
    "Likelihood",
    "PseudoLikelihood",
    "ScoreMatching",
    "fit_data",
    "score",
]
