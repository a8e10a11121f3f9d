"""The scripts of `perf` are of the source alone: they are found there, after all that is installed."""

import sys

from repository import ROOT

sys.path.append(str(ROOT))
