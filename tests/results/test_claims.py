"""A claim is given back at its end, not when what held it is collected."""

from results.store import Store

FIT = "f" * 64


def test_a_claim_is_free_for_others_as_soon_as_it_ends_although_its_holder_lives_on(tmp_path):
    first, second = Store(tmp_path), Store(tmp_path)
    claim = first.claim(FIT)
    with claim as mine:
        assert mine is True
        with second.claim(FIT) as theirs:
            assert theirs is False
    with second.claim(FIT) as theirs:
        assert theirs is True
        with first.claim(FIT) as again:
            assert again is False
