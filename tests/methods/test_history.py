"""Each recipe says what the numbers of a fit's history are."""

import fnmatch

import golden
import pytest

from methods.checks import CheckError, check_detector
from methods.registry import installed

UNDER_SWITCHES = {
    "deep_sad": {"network": "lenet_32px", "backbone": None, "pretrain.epochs": 1, "pretrain.batch": 6},
    "minns": {"form": "MI", "deep_supervision": True},
    "mlep": {"mode": "recon"},
}
"""Values of parameters under which a detector's history has the names that it has not else."""
NEEDING_PACKAGES = {"csi_gan": {"fid", "frechet_*"}}
"""Names that a fit has only with packages of an extra."""


def histories(method):
    """The history of a tiny fit, and of one under switches where there are some."""
    changes = [{}, *([UNDER_SWITCHES[method]] if method in UNDER_SWITCHES else [])]
    return [golden.fitted(method, overrides=change)[0].history for change in changes]


@pytest.mark.parametrize("method", golden.DETECTORS + golden.NEEDING_PACKAGES)
def test_the_recipe_explains_each_number_of_a_fit_and_no_other(method):
    info = installed.get(method)
    if lacking := info.lacking():
        pytest.skip(lacking)
    names = {name for history in histories(method) for name in history}
    assert names
    assert [name for name in names if info.history_meaning(name) is None] == []
    unseen = {pattern for pattern in info.history if not fnmatch.filter(names, pattern)}
    assert unseen == NEEDING_PACKAGES.get(method, set())


def test_a_pattern_explains_all_names_that_it_matches():
    info = installed.get("csi")
    assert info.history_meaning("right_logit_3") == info.history["right_logit_*"]
    assert info.history_meaning("right_logits") is None


def test_a_variant_has_the_history_of_its_detector():
    assert installed.get("dra1a").history == installed.get("dra").history


def test_a_detector_with_a_number_that_its_recipe_does_not_explain_fails_the_checks(monkeypatch):
    info = installed.get("devnet")
    monkeypatch.setitem(info.history, "other", info.history["loss"])
    monkeypatch.delitem(info.history, "loss")
    with pytest.raises(CheckError, match=r"\[history\] of the recipe lacks loss"):
        check_detector(info)
