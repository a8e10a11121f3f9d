import hashlib

from protocols.draw import list_fingerprint, rank, ranked


def test_a_rank_is_the_hash_of_the_joined_text() -> None:
    text = "swanbench\x1f1\x1ftoy\x1fanomaly\x1f7\x1fä.png"
    assert rank("toy", "anomaly", "7", "ä.png") == hashlib.sha256(text.encode()).hexdigest()


def test_a_variant_ranks_as_the_dataset_before_the_at_sign() -> None:
    assert rank("brain_mri@released_loader", "anomaly", "0", "x") == rank("brain_mri", "anomaly", "0", "x")


def test_ranked_sorts_by_rank() -> None:
    ids = [f"{i}.png" for i in range(50)]
    assert ranked("toy", "limit", "3", ids) == sorted(ids, key=lambda id_: rank("toy", "limit", "3", id_))


def test_purpose_and_seed_change_the_order() -> None:
    ids = [f"{i}.png" for i in range(50)]
    orders = {tuple(ranked("toy", purpose, seed, ids)) for purpose in ("anomaly", "limit") for seed in ("0", "1")}
    assert len(orders) == 4


def test_a_list_fingerprint_keeps_the_order() -> None:
    assert list_fingerprint(["b", "a"]) == hashlib.sha256(b"b\na\n").hexdigest()
    assert list_fingerprint([]) == hashlib.sha256(b"").hexdigest()
