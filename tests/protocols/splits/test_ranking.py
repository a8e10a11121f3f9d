import hashlib

import pytest

from protocols.splits.draw.ranking import divided_ids, first_ids, list_fingerprint, rank, ranked_ids


def test_a_rank_is_the_hash_of_the_joined_text() -> None:
    text = "swanbench\x1f1\x1ftoy\x1fanomaly\x1f7\x1fä.png"
    assert rank("toy", "anomaly", "7", "ä.png") == hashlib.sha256(text.encode()).hexdigest()


def test_a_variant_ranks_as_the_dataset_before_the_at_sign() -> None:
    assert rank("brain_mri@released_loader", "anomaly", "0", "x") == rank("brain_mri", "anomaly", "0", "x")


def test_ranked_sorts_by_rank() -> None:
    ids = [f"{i}.png" for i in range(50)]
    assert ranked_ids("toy", "limit", "3", ids) == sorted(ids, key=lambda id_: rank("toy", "limit", "3", id_))


def test_purpose_and_seed_change_the_order() -> None:
    ids = [f"{i}.png" for i in range(50)]
    orders = {tuple(ranked_ids("toy", purpose, seed, ids)) for purpose in ("anomaly", "limit") for seed in ("0", "1")}
    assert len(orders) == 4


@pytest.mark.parametrize("n", [0, 1, 40, 3000])
def test_a_draw_is_the_first_n_however_many_there_are(n: int) -> None:
    ids = [f"{i}.png" for i in range(n)]
    order = sorted(ids, key=lambda id_: rank("toy", "anomaly", "3", id_))
    for count in {0, 1, min(10, n), n // 4, 3 * n // 4, max(n - 1, 0), n, n + 5}:
        assert first_ids("toy", "anomaly", "3", ids, count) == order[:count]
        chosen = set(order[:count])
        drawn, rest = divided_ids("toy", "anomaly", "3", ids, count)
        assert list(drawn) == [id_ for id_ in ids if id_ in chosen]
        assert list(rest) == [id_ for id_ in ids if id_ not in chosen]


def test_a_draw_is_right_where_digests_do_not_spread_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    # all digests in the lowest sixteenth of their range: far from where the n-th is looked for
    monkeypatch.setattr(
        "protocols.splits.draw.ranking._digests", lambda *given: [f"{int(id_):032d}".encode() for id_ in given[-1]]
    )
    ids = [str((7 * i) % 3001) for i in range(3001)]
    assert first_ids("toy", "anomaly", "0", ids, 10) == [str(i) for i in range(10)]
    assert len(divided_ids("toy", "normal", "", ids, 2250)[0]) == 2250


def test_a_list_fingerprint_keeps_the_order() -> None:
    assert list_fingerprint(["b", "a"]) == hashlib.sha256(b"b\na\n").hexdigest()
    assert list_fingerprint([]) == hashlib.sha256(b"").hexdigest()
