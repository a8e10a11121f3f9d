"""Bundles of runs: what is written, what is refused before it is opened, and what verification finds."""

import hashlib
import io
import json
import stat
import struct
import warnings
import zipfile

import msgspec
import numpy as np
import pytest
import records

from results.errors import ResultsError
from results.maintenance import bundles
from results.maintenance.verification import verify_bundle, verify_store
from results.record import Counts, Metrics, encode_record
from results.scores import Scores
from results.store import Store

SCORES = Scores(("b", "a", "c", "d"), ("normal", "mono", "normal", "poly"), np.array([0.25, 0.5, 0.75, 0.75]))
KEYS = [f"{letter * 64}" for letter in "0123456789"]
REGULAR = stat.S_IFREG | 0o644


def fingerprint(ids):
    return hashlib.sha256("".join(f"{one}\n" for one in ids).encode()).hexdigest()


def honest_run(seed, **provenance):
    """A record of these scores and their file. Of four pairs (a, b), (a, c), (d, b), (d, c) two are won and one a tie."""
    spec = records.make_spec(test=fingerprint([fingerprint(["b", "c"]), fingerprint(["a", "d"])]), fit__seed=seed)
    record = msgspec.structs.replace(
        records.make_record(spec, provenance=records.make_provenance(**provenance)),
        metrics=Metrics(auroc=2.5 / 4, average_precision=(1 / 2 + 2 / 3) / 2),
        counts=Counts(train_normal=9, train_anomaly=10, test_normal=2, test_anomaly=2),
    )
    return record, SCORES.encode()


RUNS = [honest_run(seed) for seed in range(2)]


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


BUNDLE = bundles.bundle_bytes("me", RUNS)
CONTENTS = members(BUNDLE)


def with_member(name, content):
    """The bundle with another content of one file."""
    return packed((CONTENTS | {name: content}).items())


def packed(contents, change=lambda _: None, **info):
    """A zip file of `contents`, pairs of name and content; `change` may edit what its directory says of each."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in contents:
            member = zipfile.ZipInfo(name)
            member.compress_type = info.get("compress_type", zipfile.ZIP_STORED)
            member.external_attr = info.get("mode", REGULAR) << 16
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # zipfile warns of a second file of one name
                file.writestr(member, content)
        for member in file.filelist:
            change(member)
    return buffer.getvalue()


def refused(data):
    with pytest.raises(ResultsError) as error:
        bundles.decode_bundle(data, "theirs.zip")
    assert "\n" not in str(error.value)
    return str(error.value)


def found(data):
    """State and reasons by name of what verification finds in a bundle."""
    verified = verify_bundle(bundles.decode_bundle(data, "theirs.zip"), fingerprint, lambda _: ())
    return {run.name: (run.state, " | ".join(run.reasons)) for run in verified}


def names_of(runs=RUNS):
    return [record.spec.name for record, _ in sorted(runs, key=lambda run: run[0].key)]


def test_the_same_runs_give_the_same_bytes_in_any_order():
    data = bundles.bundle_bytes("A  Person ", RUNS)
    assert data == bundles.bundle_bytes("A Person", RUNS[::-1])
    assert data != bundles.bundle_bytes("Another", RUNS)
    assert found(data) == dict.fromkeys(names_of(), ("verified", ""))


def test_a_bundle_says_who_made_its_runs_where_and_with_what():
    runs = [
        honest_run(0, cpu="new", libraries={"torch": "2.5"}, git_commit="abc"),
        honest_run(1, cpu="old", libraries={"torch": "2.4"}),
        honest_run(2, cpu="old", device="cuda: H200"),
    ]
    attestation = bundles.decode_bundle(bundles.bundle_bytes("A group", runs), "x").attestation
    assert (attestation.by, attestation.machines) == ("A group", ["cuda: H200, old", "new", "old"])
    assert attestation.versions == {"git_commit": ["abc"], "swanbench": ["0.1.0"], "torch": ["2.4", "2.5"]}
    assert [run.name for run in attestation.runs] == names_of(runs)


def test_an_unzipped_bundle_is_a_results_folder(tmp_path):
    with zipfile.ZipFile(io.BytesIO(bundles.bundle_bytes("me", RUNS))) as file:
        assert {member.compress_type for member in file.infolist()} == {zipfile.ZIP_STORED}
        file.extractall(tmp_path)
    states = {run.name: run.state for run in verify_store(Store(tmp_path), fingerprint, lambda _: ())}
    assert states == dict.fromkeys(names_of(), "verified")


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "red\x1b[31m", "turned \u202e"])
def test_a_name_is_one_that_can_be_printed(name):
    with pytest.raises(ResultsError, match="is no name"):
        bundles.bundle_bytes(name, RUNS)


def test_more_than_a_bundle_holds_is_refused_before_it_is_written(monkeypatch):
    monkeypatch.setattr(bundles, "MOST_BUNDLED_RUNS", 1)
    with pytest.raises(ResultsError, match="these 2 runs are more than a bundle holds"):
        bundles.bundle_bytes("me", RUNS)
    monkeypatch.undo()
    monkeypatch.setattr(bundles, "LARGEST_BUNDLE", 1000)
    with pytest.raises(ResultsError, match="name some of them"):
        bundles.bundle_bytes("me", RUNS)


def test_a_failed_run_has_nothing_to_attest():
    with pytest.raises(ResultsError, match="failed, so it has no number"):
        bundles.bundle_bytes("me", [(records.make_record(failed="an error"), b"")])


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99, 0.9999])
def test_what_was_cut_short_is_no_bundle(share):
    assert "is no bundle, or was cut short" in refused(BUNDLE[: int(share * len(BUNDLE))])


@pytest.mark.parametrize("data", [b"key,auroc\n" * 9, b"PK\5\6" + bytes(18), b"PK\5\6" + bytes(6) + b"\1" * 12])
def test_what_is_no_zip_file_or_an_empty_one_is_refused(data):
    refused(data)


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "/etc/passwd", "records/../../x", "records/", "C:\\x", "records/ab/x.json", "notes.txt"),
        *(f"records/00/{'1' * 64}.json", f"records/11/{'1' * 64}.json\n", "attestation.json/x", "\x1b[31m"),
    ],
)
def test_a_file_that_no_bundle_has_is_refused(name):
    text = refused(packed([*CONTENTS.items(), (name, b"{}")]))
    assert "which no bundle has, so it is not opened" in text or "which its attestation does not name" in text


def test_a_name_that_goes_on_after_a_zero_is_refused():
    whole = packed([*CONTENTS.items(), ("attestation.jsonQ../x", b"")])
    assert "which no bundle has" in refused(whole.replace(b"attestation.jsonQ../x", b"attestation.json\0../x"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR])
def test_a_link_or_device_is_refused(kind):
    assert "as a link or a device" in refused(packed(CONTENTS.items(), mode=kind | 0o777))


def of_size(size):
    def change(member):
        member.file_size = size

    return change


def test_a_declared_size_of_10_gb_is_refused_before_anything_is_unpacked(monkeypatch):
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("something was unpacked"))
    assert "of 10737418240 bytes, more than" in refused(packed(CONTENTS.items(), of_size(10 * 2**30)))


def test_many_files_that_are_large_together_are_refused_before_anything_is_unpacked(monkeypatch):
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("something was unpacked"))
    contents = [(bundles.scores_member(key), b"") for key in KEYS]
    assert "unpacks to 160 MiB, more than the 128" in refused(packed(contents, of_size(16 * 2**20)))


def test_a_file_that_unpacks_to_more_than_it_declares_is_damaged():
    contents = dict(CONTENTS)
    target = bundles.record_member(RUNS[0][0].key)
    contents[target] = b" " * 2**24

    def change(member):
        member.file_size = 100 if member.filename == target else member.file_size

    state, reason = found(packed(contents.items(), change, compress_type=zipfile.ZIP_DEFLATED))[RUNS[0][0].spec.name]
    assert (state, "damaged" in reason) == ("unreadable", True)


def test_a_file_that_is_there_twice_is_refused():
    assert "twice" in refused(packed([*CONTENTS.items(), *list(CONTENTS.items())[-1:]]))


def test_other_packing_and_encryption_are_refused():

    def encrypted(member):
        member.flag_bits |= 1

    assert "packed in a way" in refused(packed(CONTENTS.items(), compress_type=zipfile.ZIP_LZMA))
    assert "packed in a way" in refused(packed(CONTENTS.items(), encrypted))


@pytest.mark.parametrize("entry", [struct.pack("<2H", 60000, 60000), struct.pack("<2HL", 9, 9, 2**24)])
def test_a_directory_that_is_too_large_is_not_read(entry, monkeypatch):
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("the directory was read"))
    data = bytearray(BUNDLE)
    data[-14 : -14 + len(entry)] = entry
    assert "directory larger than that of any bundle" in refused(bytes(data))


def test_a_second_end_that_says_other_numbers_is_not_read():
    data = BUNDLE
    larger = struct.pack("<4sLQL", b"PK\6\7", 0, len(data), 1)
    assert "directory larger" in refused(data[:-22] + larger + data[-22:])


def altered(**fields):
    """The bundle with other fields in its attestation."""
    head = json.loads(CONTENTS[bundles.ATTESTATION]) | fields
    return with_member(bundles.ATTESTATION, json.dumps(head).encode())


def test_a_newer_schema_is_one_sentence():
    said = "theirs.zip has schema 2, this version reads up to 1: upgrade swanbench to read it"
    assert refused(altered(schema=2, runs="in another form")) == said


@pytest.mark.parametrize(
    "fields", [{"schema": 0}, {"by": ""}, {"by": "x" * 101}, {"runs": []}, {"machines": 3}, {"runs": [{"key": "../x"}]}]
)
def test_an_attestation_of_another_form_is_refused(fields):
    assert "has an attestation.json that cannot be read" in refused(altered(**fields))


def test_a_bundle_that_is_not_whole_is_refused():
    for name in CONTENTS:
        assert f"lacks {name}" in refused(packed([pair for pair in CONTENTS.items() if pair[0] != name]))
    other = bundles.record_member("f" * 64)
    assert "which its attestation does not name" in refused(packed([*CONTENTS.items(), (other, b"{}")]))
    run = json.loads(CONTENTS[bundles.ATTESTATION])["runs"][0]
    assert "attests a run twice" in refused(altered(runs=[run, run]))


def with_auc(record, auroc):
    metrics = msgspec.structs.replace(record.metrics, auroc=auroc)
    return msgspec.structs.replace(record, metrics=metrics)


def test_an_auc_that_its_scores_do_not_give_is_found_also_when_it_was_attested_anew():
    (record, scores), other = RUNS
    name, false = record.spec.name, with_auc(record, 0.875)
    state, reason = found(with_member(bundles.record_member(record.key), encode_record(false)))[name]
    assert state == "differs"
    assert "its record is not the one that was attested" in reason
    assert "it says AUC 0.875, its scores give 0.625" in reason
    anew = found(bundles.bundle_bytes("me", [(false, scores), other]))
    assert anew == {name: ("differs", "it says AUC 0.875, its scores give 0.625"), other[0].spec.name: ("verified", "")}


def test_an_auc_that_only_the_attestation_says_is_found():
    runs = json.loads(CONTENTS[bundles.ATTESTATION])["runs"]
    runs[0]["auroc"] = 0.9
    differing = found(altered(runs=runs))
    assert sorted(state for state, _ in differing.values()) == ["differs", "verified"]
    assert "with AUC 0.9, its record says" in differing[runs[0]["name"]][1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (Scores(SCORES.ids, SCORES.classes, -SCORES.values).encode(), "its scores give 0.375"),
        (Scores(SCORES.ids, SCORES.classes, 2 * SCORES.values).encode(), "not those that were attested"),
        (b"PK", "its scores cannot be read"),
    ],
)
def test_other_scores_are_found(content, said):
    record = RUNS[0][0]
    state, reason = found(with_member(bundles.scores_member(record.key), content))[record.spec.name]
    assert (state, said in reason) == ("differs", True)


def test_records_that_changed_places_are_found():
    contents = dict(CONTENTS)
    a, b = (bundles.record_member(record.key) for record, _ in RUNS)
    contents[a], contents[b] = contents[b], contents[a]
    for (state, reason), other in zip(found(packed(contents.items())).values(), names_of()[::-1], strict=True):
        assert state == "differs"
        assert f"its record is that of another run, {other}" in reason


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [(b'"schema": 1', b'"schema": 99', "has schema 99"), (b'"seed": 0', b'"seed": 7', "does not fit its spec")],
)
def test_a_record_that_cannot_be_read_is_named(old, new, said):
    target = bundles.record_member(RUNS[0][0].key)
    state, reason = found(with_member(target, CONTENTS[target].replace(old, new)))[RUNS[0][0].spec.name]
    assert (state, said in reason) == ("unreadable", True)


def test_a_byte_that_changed_is_found():
    place = BUNDLE.rindex(b'"auroc": 0.625')
    damaged = BUNDLE[: place + 11] + b"9" + BUNDLE[place + 12 :]
    assert sorted(state for state, _ in found(damaged).values()) == ["unreadable", "verified"]


@pytest.mark.parametrize("fields", [{"machines": ["a faster one"]}, {"versions": {"torch": ["3"]}}])
def test_other_machines_or_versions_than_the_records_say_are_found(fields):
    differing = found(altered(**fields))
    assert differing.pop(bundles.ATTESTATION) == ("differs", "it says other machines or versions than its records")
    assert {state for state, _ in differing.values()} == {"verified"}


def test_what_cannot_be_read_as_a_file_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "large.zip").write_bytes(b"x" * 2000)
    monkeypatch.setattr(bundles, "LARGEST_BUNDLE", 1000)
    for name in (".", "gone.zip", "large.zip"):
        with pytest.raises(ResultsError, match="give a file that 'bench results attest' wrote"):
            bundles.read_bundle(tmp_path / name)
