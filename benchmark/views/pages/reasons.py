"""Reasons why runs do not count beside the paper's, in whole sentences for a person who has read no documentation."""

import re

DESCRIBED_WEIGHTS = {
    "custom:9400829f": (
        "This file is torchvision's IMAGENET1K_V1 but for the four 3x3 convolutions of layer4 and their batch norms: "
        "those are estimated from compressed copies. So the features up to layer3 are genuine, those of layer4 are not."
    ),
}
"""Known contents of files of weights that nobody published, by their labels."""

_SENTENCES = {
    r"weights (?P<arch>\S+) random": (
        "The trunk {arch} has random weights instead of ImageNet's: such a run shows that everything works, and tells "
        "nothing of the method."
    ),
    r"weights (?P<arch>\S+) (?P<label>custom:\w+)": (
        "The trunk {arch} has other weights than the published ImageNet file: {label} names their file by the first "
        "digits of its SHA-256."
    ),
    r"weights (?P<arch>\S+) of unknown origin": (
        "Nobody knows where the weights of the trunk {arch} are from: the record does not say."
    ),
    r"recipe quick": (
        "Recipe quick is a small budget for two processor cores, far below the paper's training; recipe official is "
        "the authors' own."
    ),
    r"one split only, (?P<runs>\d+) runs? of it": (
        "All runs here were trained on one draw of the labelled anomalies, while the paper's numbers vary over draws: "
        "more seeds draw more splits."
    ),
    r"(?P<method>\w+)\.(?P<name>\S+) = (?P<value>.+) \(recipe: (?P<usual>.+)\)": (
        "The hyper-parameter {name} of {method} was set to {value}, where the recipe has {usual}."
    ),
    r"split option (?P<name>\S+) = (?P<value>.+)": (
        "The split was drawn with the option {name} = {value}, which is not the paper's way."
    ),
    r"image size (?P<size>\d+) \(the paper's: (?P<usual>\d+)\)": (
        "Images were {size} pixels wide, the paper's are {usual}."
    ),
    r"dataset (?P<name>\S+) is not the paper's": (
        "The data set {name} is not one of the paper's, so no number of the paper stands beside it."
    ),
}
"""Forms of reasons with their sentences."""


def reason_sentence(reason: str) -> str:
    """A reason as tables print it, in one or two whole sentences."""
    for pattern, sentence in _SENTENCES.items():
        parts = re.fullmatch(pattern, reason)
        if parts:
            described = DESCRIBED_WEIGHTS.get(parts.groupdict().get("label", ""), "")
            return f"{sentence.format(**parts.groupdict())} {described}".rstrip()
    return f"{reason[:1].upper()}{reason[1:]}."
