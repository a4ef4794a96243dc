"""Hidden Markov models."""

from ._categorical import CategoricalHMM
from ._chain import stationary_distribution
from ._gaussian import GaussianHMM
from ._gmm import GMMHMM
from ._hsmm import HSMM
from ._inference import FilterStream
from ._mixed import MixedHMM
from ._monitor import ConvergenceMonitor
from ._multinomial import MultinomialHMM
from ._poisson import PoissonHMM
from ._statistics import HMMStatistics
from ._trellis import Backward, Forward, Posteriors, Viterbi, backward, forward, posteriors, viterbi
from ._variational import VariationalCategoricalHMM
from ._variational_gaussian import VariationalGaussianHMM

__all__ = [
    "GMMHMM",
    "HSMM",
    "Backward",
    "CategoricalHMM",
    "ConvergenceMonitor",
    "FilterStream",
    "Forward",
    "GaussianHMM",
    "HMMStatistics",
    "MixedHMM",
    "MultinomialHMM",
    "PoissonHMM",
    "Posteriors",
    "VariationalCategoricalHMM",
    "VariationalGaussianHMM",
    "Viterbi",
    "backward",
    "forward",
    "posteriors",
    "stationary_distribution",
    "viterbi",
]
