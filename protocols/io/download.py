"""Downloads of release files: only on request, resumed where one broke off, and checked by SHA-256."""

import contextlib
import hashlib
import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

from protocols.errors import DataError
from protocols.io.archives import ARCHIVE_SUFFIXES, check_archive
from protocols.io.atomic_folders import check_space, claimed_folder
from protocols.io.parallel import Notify, Progress
from protocols.io.release_file import Download

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 60.0

_CHUNK = 1 << 20
_START = 512
_MARKUP = (".htm", ".html", ".svg", ".xml")
_PART_OF_FILE = 206
_NO_SUCH_RANGE = 416


def fetch_files(downloads: Iterable[Download], folder: Path, *, notify: Notify, progress: Progress) -> None:
    """Fetch the files into `folder`; files that exist already stay.

    A file appears under its name only when it is complete and its SHA-256 is right; where none is known, when it is no
    page and its archive can be read. What came before a connection broke is kept as `FILE.part`, from which the next
    call goes on if the server still has the same file.

    Raises:
        DataError: no connection, another answer than the file, a wrong SHA-256, or too little space.
    """
    with claimed_folder(folder, "BENCH_DATA", notify):
        folder.mkdir(exist_ok=True)
        for download in downloads:
            if not _is_kept(folder / download.file, download):
                _fetch(download, folder / download.file, notify, progress)


def _is_kept(target: Path, download: Download) -> bool:
    """True where the file exists and is not a page that an earlier version took for it."""
    return target.is_file() and (download.sha256 is not None or _trouble(target, download) is None)


def _fetch(download: Download, target: Path, notify: Notify, progress: Progress) -> None:
    part = target.with_name(f"{target.name}.part")
    answer = _ask(download, part)
    if answer is not None:
        with answer:
            _receive(answer, download, part, progress)
    digest = _sha256(part)
    trouble = _trouble(part, download) if download.sha256 is None else None
    if trouble is not None:
        part.unlink()
        _origin(part).unlink(missing_ok=True)
        raise DataError(
            f"what {download.url} sent {trouble}: log in there if it asks for that, get {download.file} and pass it as "
            "--source, or try again"
        )
    if download.sha256 is None:
        notify(f"{download.file}: its SHA-256 is {digest}; none is known to compare it with")
    elif digest != download.sha256:
        part.unlink()
        raise DataError(
            f"what {download.url} sent has the SHA-256 {digest}, not {download.sha256}: try again, or get the release "
            "elsewhere and pass it as --source"
        )
    part.replace(target)
    _origin(part).unlink(missing_ok=True)


def _ask(download: Download, part: Path) -> http.client.HTTPResponse | None:
    """The server's answer for what is missing of the file; None if `part` is all of it."""
    if not download.url.startswith(("https://", "http://")):
        raise DataError(f"{download.url} is no address on the web: get {download.file} and pass it as --source")
    offset, validator = _received(download, part)
    headers = {"Accept-Encoding": "identity", "User-Agent": "swanbench"}
    if offset:
        headers |= {"Range": f"bytes={offset}-"} | ({"If-Range": validator} if validator else {})
    request = urllib.request.Request(download.url, headers=headers)  # noqa: S310 - http or https, by the check above
    opener = urllib.request.build_opener(_PlainHandler, _SecureHandler)
    with _translated(download.url, part.parent):
        try:
            answer: http.client.HTTPResponse = opener.open(request, timeout=_CONNECT_SECONDS)
        except urllib.error.HTTPError as error:
            complete = error.headers.get("Content-Range", "").rpartition("/")[2] == str(offset)
            error.close()
            if error.code != _NO_SUCH_RANGE or not offset:
                raise
            if complete:
                return None
            part.unlink()
            raise DataError(f"{download.url} has another file now than before: try again, from its start") from None
        return answer


def _received(download: Download, part: Path) -> tuple[int, str]:
    """Bytes received so far, and the validator by which the server knows the same file; (0, "") to start anew."""
    try:
        origin = json.loads(_origin(part).read_text(encoding="utf-8"))
        validator = str(origin["validator"])
        if origin["url"] == download.url and (validator or download.sha256):
            return part.stat().st_size, validator
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return 0, ""


def _receive(answer: http.client.HTTPResponse, download: Download, part: Path, progress: Progress) -> None:
    goes_on = answer.status == _PART_OF_FILE
    length = answer.headers.get("Content-Length", "")
    done = part.stat().st_size if goes_on else 0
    total = done + int(length) if length.isdigit() else 0
    if goes_on and not answer.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
        part.unlink()
        raise DataError(f"{download.url} sent another part than was asked for: try again, from its start")
    check_space(part.parent, total - done, f"the files of {download.file}", "BENCH_DATA")
    if not goes_on:
        validator = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        strong = "" if validator.startswith("W/") else validator
        part.unlink(missing_ok=True)
        _origin(part).write_text(json.dumps({"url": download.url, "validator": strong}), encoding="utf-8")
    with part.open("ab") as file:
        while chunk := _read(answer, download.url, part):
            file.write(chunk)
            done += len(chunk)
            progress(download.file, done, total)
        file.flush()
        os.fsync(file.fileno())
    if done < total:
        raise DataError(f"{download.url} broke off after {done} of {total} bytes: run the same command to go on")


def _read(answer: http.client.HTTPResponse, url: str, part: Path) -> bytes:
    with _translated(url, part.parent):
        return answer.read(_CHUNK)


@contextlib.contextmanager
def _translated(url: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        text = f"get it elsewhere and pass it as --source, or run the same command to go on in {folder}"
        raise DataError(f"{url} could not be fetched ({reason}): {text}") from error


def _trouble(path: Path, download: Download) -> str | None:
    """The reason why a file of unknown digest is not what its name says, if there is one."""
    with path.open("rb") as file:
        start = file.read(_START).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        return "is empty"
    if start.startswith(b"<") and not download.file.lower().endswith(_MARKUP):
        return "is a page, not the file"
    if download.file.lower().endswith(ARCHIVE_SUFFIXES):
        try:
            check_archive(path)
        except DataError:
            return "is no whole archive"
    return None


def _origin(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Plain(http.client.HTTPConnection):
    """Connects within `_CONNECT_SECONDS`, then waits `_READ_SECONDS` for the next bytes."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(_READ_SECONDS)


class _Secure(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(_READ_SECONDS)


class _PlainHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Plain, req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Secure, req)
