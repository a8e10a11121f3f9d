"""A method whose AUC varies with the seed, on a dataset and in a paper of another package: cells that can be settled."""

import strangers

RECIPE = """
id = "noisy"
title = "Noisy brightness"
detector = "noisy.detector:Noisy"
version = 1
[capabilities]
rules = ["general", "hard"]
anomalies = true
independent_scores = true
[params."img_size"]
type = "size"
default = 16
source = "made up"
"""

DETECTOR = """
import numpy as np

class Noisy:
    def __init__(self, params, context):
        self.context, self.history = context, {"loss": [1.0]}

    def fit(self, data):
        print("hello from a guest")
        for step in range(1, 5):
            self.context.progress(step, 4, loss=1.0 / step)

    def score(self, images):
        draw = np.random.default_rng(self.context.seed)
        marks = [float(images.one(i).max()) - float(images.one(i).min()) for i in range(len(images))]
        return np.array(marks) / 255 + 0.25 * draw.normal(size=len(images))

    def state(self):
        return {}

    def load(self, state):
        pass
"""

DATASET = """
id = "tiny"
title = "Stripes with dots and bars"
kind = "industrial"
image_size = 16
licence = "none"
citation = "nobody"
source = "https://example.org/tiny"
known_classes = ["bar", "dot"]
"""

PAPER = """
paper = "loud"
name = "Loud"
citation = "nobody"
unit = "fraction"
decimals = 3
metric = "AUC"
std = "runs"
runs = 3

[methods]
noisy = "noisy"

[tables.1]
title = "AUC in the hard setting"
file = "values.csv"
rule = "hard"
coordinates = ["dataset", "known_class", "method", "shots"]
rows = ["dataset", "known_class"]
columns = ["method", "shots"]
"""

VALUES = """dataset,known_class,method,shots,mean,std
tiny,bar,noisy,10,0.800,0.030
tiny,dot,noisy,10,0.800,0.900
"""

SUITE = """
id = "loud"
title = "Noise"
rule = "hard"
recipe = "official"
methods = ["noisy"]
seeds = [0, 1]
shots = [10]
table = "loud:1"
[datasets]
tiny = ["bar", "dot"]
"""


def install(site, values=VALUES):
    """Method, dataset and paper as installed packages of `site`."""
    points = {
        "swanbench.methods": {"noisy": "noisy:noisy.toml"},
        "swanbench.datasets": {"tiny": "noisy:tiny.toml"},
    }
    strangers.install(site, "noisy", points, {"noisy.toml": RECIPE, "detector.py": DETECTOR, "tiny.toml": DATASET})
    strangers.paper(site, "printed", paper_toml=PAPER, values_csv=values)
    entries = next(site.glob("printed-*.dist-info")) / "entry_points.txt"
    entries.write_text(entries.read_text().replace("mine =", "loud ="))
