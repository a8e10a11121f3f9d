"""Bundles: runs of one person in one zip file, records and scores as a results folder has them, with their digests.

Anybody may have made such a file. It is read only after its directory was checked: no file but those that a bundle has,
none twice, none a link, none larger than it may be. It is never unpacked to disk.
"""

import hashlib
import io
import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from results.errors import ResultsError
from results.files import read_bounded
from results.record import LARGEST_RECORD, Record, encode_record
from results.scores import LARGEST_SCORES, PACKED_BY

ATTESTATION = "attestation.json"
BUNDLE_SCHEMA = 1
LARGEST_BUNDLE = 128 * 2**20
"""Bytes that a bundle may have, packed and unpacked."""
MOST_BUNDLED_RUNS = 10_000
LONGEST_NAME = 100
"""Letters of the name of a person or group."""

_LARGEST_OF = {ATTESTATION: 8 * 2**20, "records": LARGEST_RECORD, "scores": LARGEST_SCORES}
_MEMBER = re.compile(
    r"attestation\.json|records/([0-9a-f]{2})/\1[0-9a-f]{62}\.json|scores/([0-9a-f]{2})/\2[0-9a-f]{62}\.npz"
)
_END = struct.Struct("<4s4H2LH")
"""The last 22 bytes of a zip file without comment."""
_ZIP64_BYTES = 20  # of what points to the end of a larger zip file
_ENTRY_BYTES = 512  # of the directory of a zip file, for a member of a bundle and what tools note of it
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError, OSError)
_NEXT_STEP = "ask who attested it for the file that 'bench results attest' wrote"

_Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class AttestedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a bundle; `record` and `scores` are the SHA-256 of its two files."""

    key: _Digest
    name: str
    auroc: Annotated[float, Meta(ge=0, le=1)]
    record: _Digest
    scores: _Digest


class Attestation(msgspec.Struct, frozen=True, kw_only=True):
    """Person or group that made the runs of a bundle, machines and versions as their records have them, and the runs.

    `versions` are those of swanbench (`git_commit` too) and of the libraries, several where the runs differ.
    """

    schema: int = BUNDLE_SCHEMA
    by: Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
    machines: list[str]
    versions: dict[str, list[str]]
    runs: Annotated[list[AttestedRun], Meta(min_length=1, max_length=MOST_BUNDLED_RUNS)]


@dataclass(frozen=True)
class Bundle:
    """A bundle whose directory was checked; `origin` names its file, `digest` is the SHA-256 of that."""

    origin: str
    digest: str
    attestation: Attestation
    _file: zipfile.ZipFile

    def record_data(self, run: AttestedRun) -> bytes:
        """The file of a record; raises ResultsError where it is damaged, as the end of a sentence."""
        return self._content(record_member(run.key))

    def scores_data(self, run: AttestedRun) -> bytes:
        """The file of scores; raises ResultsError where it is damaged, as the end of a sentence."""
        return self._content(scores_member(run.key))

    def _content(self, name: str) -> bytes:
        try:
            return _content(self._file, name)
        except ValueError as error:
            raise ResultsError(str(error)) from error


class _Versioned(msgspec.Struct):
    schema: Annotated[int, Meta(ge=1, le=2**53)]


def record_member(key: str) -> str:
    return f"records/{key[:2]}/{key}.json"


def scores_member(key: str) -> str:
    return f"scores/{key[:2]}/{key}.npz"


def machine_name(record: Record) -> str:
    """Model of the machine that made a run: its processor, and its device where that is another."""
    if record.provenance is None:
        return "unknown"
    device, cpu = record.provenance.device, record.provenance.cpu
    return cpu if device == "cpu" else f"{device}, {cpu}"


def machine_names(records: Iterable[Record]) -> list[str]:
    """The models of the machines of runs, each once."""
    return _each_once(machine_name(record) for record in records)


def version_lists(records: Iterable[Record]) -> dict[str, list[str]]:
    """The versions of swanbench and of the libraries that made runs, by name."""
    pairs = {pair for record in records for pair in _versions(record)}
    names = _each_once(name for name, _ in pairs)
    return {name: _each_once(version for library, version in pairs if library == name) for name in names}


def _versions(record: Record) -> Iterator[tuple[str, str]]:
    provenance = record.provenance
    if provenance is not None:
        yield "swanbench", provenance.package_version
        if provenance.git_commit:
            yield "git_commit", provenance.git_commit
        yield from provenance.libraries.items()


def checked_name(by: str) -> str:
    """The name of a person or group, on one line.

    Raises:
        ResultsError: it is empty, too long, or has characters that are not printed.
    """
    name = " ".join(by.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ResultsError(
            f"'{by}' is no name of a person or group: give 1 to {LONGEST_NAME} letters that can be printed"
        )
    return name


def bundle_bytes(by: str, runs: Iterable[tuple[Record, bytes]]) -> bytes:
    """The bundle of finished runs, each a record with the file of its scores; the same runs give the same bytes.

    Nothing in it is packed but what was: a deflated file would depend on the version of zlib.

    Raises:
        ResultsError: it would be larger than what is read, or the name is none.
    """
    ordered = sorted(runs, key=lambda run: run[0].key)
    members: dict[str, bytes] = {}
    attested = []
    for record, scores in ordered:
        if record.metrics is None:
            raise ResultsError(f"{record.spec.name} failed, so it has no number to attest: leave it out")
        data = members[record_member(record.key)] = encode_record(record)
        members[scores_member(record.key)] = scores
        digests = {"record": content_digest(data), "scores": content_digest(scores)}
        attested.append(AttestedRun(key=record.key, name=record.spec.name, auroc=record.metrics.auroc, **digests))
    records = [record for record, _ in ordered]
    head = Attestation(
        by=checked_name(by), machines=machine_names(records), versions=version_lists(records), runs=attested
    )
    members[ATTESTATION] = msgspec.json.format(msgspec.json.encode(head), indent=2) + b"\n"
    if len(attested) > MOST_BUNDLED_RUNS or sum(map(len, members.values())) > LARGEST_BUNDLE:
        raise ResultsError(
            f"these {len(attested)} runs are more than a bundle holds, {MOST_BUNDLED_RUNS} runs and "
            f"{LARGEST_BUNDLE >> 20} MiB: name some of them, and attest the others in another"
        )
    return _packed(members)


def _packed(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in sorted(members):
            member = zipfile.ZipInfo(name, _EARLIEST)
            member.create_system = 3  # Unix, on every machine
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            file.writestr(member, members[name])
    return buffer.getvalue()


def read_bundle(path: Path) -> Bundle:
    """The bundle in a file.

    Raises:
        ResultsError: there is none, it cannot be read, or `decode_bundle` refuses it.
    """
    try:
        data = read_bounded(path, LARGEST_BUNDLE)
    except ResultsError as error:
        step = "give a file that 'bench results attest' wrote; a results folder goes with --results"
        raise ResultsError(f"{path} {error}: {step}") from error
    except OSError as error:
        text = f"cannot read {path}: {error.strerror or error}; give a file that 'bench results attest' wrote"
        raise ResultsError(text) from error
    return decode_bundle(data, str(path))


def decode_bundle(data: bytes, origin: str) -> Bundle:
    """The bundle in `data`; nothing is unpacked before the whole directory was checked.

    Raises:
        ResultsError: it is none, cut short, unsafe, not whole, or written by a newer version of this project.
    """
    try:
        _check_end(data)
        try:
            file = zipfile.ZipFile(io.BytesIO(data))
        except _ZIP_ERRORS as error:
            raise ValueError(f"is no bundle, or was cut short ({error})") from error
        _check_members(file.infolist())
        head = _content(file, ATTESTATION)
        schema = msgspec.json.decode(head, type=_Versioned).schema
        if schema > BUNDLE_SCHEMA:
            text = (
                f"{origin} has schema {schema}, this version reads up to {BUNDLE_SCHEMA}: upgrade swanbench to read it"
            )
            raise ResultsError(text)
        attestation = msgspec.json.decode(head, type=Attestation)
        _check_whole(attestation, file.namelist())
    except msgspec.DecodeError as error:
        raise ResultsError(f"{origin} has an {ATTESTATION} that cannot be read ({error}): {_NEXT_STEP}") from error
    except ValueError as error:
        raise ResultsError(f"{origin} {error}: {_NEXT_STEP}") from error
    return Bundle(origin, content_digest(data), attestation, file)


def _check_end(data: bytes) -> None:
    """Refuse what does not end as a zip file does, or whose directory is larger than that of any bundle."""
    if len(data) < _END.size or not data[-_END.size :].startswith(b"PK\5\6"):
        raise ValueError("is no bundle, or was cut short")
    *_, members, size, _, _ = _END.unpack(data[-_END.size :])
    is_zip64 = data[-_END.size - _ZIP64_BYTES :].startswith(b"PK\6\7")  # it would say other numbers
    if is_zip64 or members > 2 * MOST_BUNDLED_RUNS + 1 or size > members * _ENTRY_BYTES:
        raise ValueError("has a directory larger than that of any bundle")


def _check_members(members: Sequence[zipfile.ZipInfo]) -> None:
    for member in members:
        name = member.orig_filename
        if not _MEMBER.fullmatch(name):
            raise ValueError(f"holds {name!r}, which no bundle has, so it is not opened")
        if stat.S_IFMT(member.external_attr >> 16) not in {0, stat.S_IFREG}:
            raise ValueError(f"holds {name} as a link or a device, so it is not opened")
        if member.compress_type not in PACKED_BY or member.flag_bits & 1:
            raise ValueError(f"holds {name} packed in a way that is not read")
        most = _LARGEST_OF[name.partition("/")[0]]
        if member.file_size > most:
            raise ValueError(f"holds {name} of {member.file_size} bytes, more than the {most} that are read")
    for name, count in Counter(member.filename for member in members).items():
        if count > 1:
            raise ValueError(f"holds {name} twice")
    total = sum(member.file_size for member in members)
    if total > LARGEST_BUNDLE:
        raise ValueError(f"unpacks to {total >> 20} MiB, more than the {LARGEST_BUNDLE >> 20} that are read")


def _check_whole(attestation: Attestation, names: Sequence[str]) -> None:
    """Refuse a bundle that lacks a file of its runs, or holds one of no run."""
    keys = [run.key for run in attestation.runs]
    named = {ATTESTATION, *map(record_member, keys), *map(scores_member, keys)}
    if len(named) < 2 * len(keys) + 1:
        raise ValueError("attests a run twice")
    for name in sorted(named.symmetric_difference(names)):
        raise ValueError(f"lacks {name}" if name in named else f"holds {name}, which its attestation does not name")


def _content(file: zipfile.ZipFile, name: str) -> bytes:
    """A member, whose size was checked; raises ValueError where it is not there or damaged."""
    try:
        return file.read(name)
    except KeyError:
        raise ValueError(f"lacks {name}") from None
    except _ZIP_ERRORS as error:
        raise ValueError(f"holds a damaged {name} ({error})") from error


def content_digest(data: bytes) -> str:
    """Hexadecimal SHA-256 of the content of a file."""
    return hashlib.sha256(data).hexdigest()


def _each_once(texts: Iterable[str]) -> list[str]:
    return sorted(set(texts))
