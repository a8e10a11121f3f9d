import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import made_up
import pytest
from msgspec.structs import replace

from protocols.catalogue import data_folder
from protocols.errors import DataError
from protocols.io import download
from protocols.io.download import Download

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """Serves one file; `broken_after` bytes it hangs up, `etag` names the state of the file."""

    content: ClassVar[bytes] = CONTENT
    etag: ClassVar[str] = '"one"'
    broken_after: ClassVar[int | None] = None
    ranges: ClassVar[bool] = True
    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        asked, content = self.headers.get("Range"), self.content
        self.asked.append(asked)
        if self.path != "/release.bin":
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else 0
        if start and self.headers.get("If-Range", self.etag) != self.etag:
            start = 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        if self.etag:
            self.send_header("ETag", self.etag)
        self.end_headers()
        self.wfile.write(content[start : self.broken_after])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[type[Server]]:
    kind = type("OneServer", (Server,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        kind.url = f"http://127.0.0.1:{running.server_address[1]}/release.bin"  # type: ignore[attr-defined]
        yield kind
        running.shutdown()
        thread.join()


def fetch(url: str, folder: Path, sha256: str | None = SHA256, said: list[str] | None = None) -> bytes:
    told = [] if said is None else said
    counted: list[tuple[int, int]] = []
    download.fetch_files(
        [Download(url, "release.bin", sha256)],
        folder,
        notify=told.append,
        progress=lambda what, done, total: counted.append((done, total)),
    )
    assert not counted or counted[-1] == (len(CONTENT), len(CONTENT))
    assert [path.name for path in folder.iterdir()] == ["release.bin"]
    return (folder / "release.bin").read_bytes()


def test_a_file_is_fetched_once(server: type[Server], tmp_path: Path) -> None:
    folder = tmp_path / ".downloads" / "set"
    assert fetch(server.url, folder) == CONTENT
    assert fetch(server.url, folder) == CONTENT
    assert server.asked == [None]


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_download_that_broke_off_goes_on(server: type[Server], tmp_path: Path, sha256: str | None) -> None:
    server.broken_after = 300_000
    with pytest.raises(DataError, match=rf"broke off after 300000 of {len(CONTENT)} bytes: run the same command"):
        fetch(server.url, tmp_path / "set", sha256)
    server.broken_after = None
    assert fetch(server.url, tmp_path / "set", sha256) == CONTENT
    assert server.asked == [None, "bytes=300000-"]


@pytest.mark.parametrize("change", [{"etag": '"two"'}, {"ranges": False}])
def test_a_file_that_changed_or_a_server_without_ranges_starts_anew(
    server: type[Server], tmp_path: Path, change: dict[str, object]
) -> None:
    server.broken_after = 300_000
    with pytest.raises(DataError, match="broke off"):
        fetch(server.url, tmp_path / "set")
    server.broken_after = None
    for name, value in change.items():
        setattr(server, name, value)
    assert fetch(server.url, tmp_path / "set") == CONTENT


def test_without_a_name_for_its_state_only_a_file_of_a_known_digest_goes_on(
    server: type[Server], tmp_path: Path
) -> None:
    server.etag = ""
    for folder, sha256, asked in (("known", SHA256, "bytes=300000-"), ("unknown", None, None)):
        server.broken_after = 300_000
        with pytest.raises(DataError, match="broke off"):
            fetch(server.url, tmp_path / folder, sha256)
        server.broken_after = None
        assert fetch(server.url, tmp_path / folder, sha256) == CONTENT
        assert server.asked[-1] == asked


def test_a_part_that_is_the_whole_is_taken(server: type[Server], tmp_path: Path) -> None:
    server.broken_after = len(CONTENT) - 1
    with pytest.raises(DataError, match="broke off"):
        fetch(server.url, tmp_path / "set")
    with (tmp_path / "set" / "release.bin.part").open("ab") as part:
        part.write(CONTENT[-1:])
    assert fetch(server.url, tmp_path / "set") == CONTENT


def test_a_wrong_digest_is_refused_and_nothing_is_kept(server: type[Server], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"has the SHA-256 {SHA256}, not {64 * '0'}: try again"):
        fetch(server.url, tmp_path / "set", 64 * "0")
    assert not (tmp_path / "set" / "release.bin").exists()
    assert not (tmp_path / "set" / "release.bin.part").exists()


def test_a_file_of_no_known_digest_is_taken_and_its_digest_said(server: type[Server], tmp_path: Path) -> None:
    said: list[str] = []
    fetch(server.url, tmp_path / "set", None, said)
    assert said == [f"release.bin: its SHA-256 is {SHA256}; none is known to compare it with"]


def test_a_page_that_is_not_there_and_a_server_that_is_not_there_are_one_sentence(
    server: type[Server], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"nothing could not be fetched \(Not Found\): get it elsewhere and pass it as"):
        fetch(server.url.replace("release.bin", "nothing"), tmp_path / "set")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(DataError, match=r"could not be fetched \(\[Errno 111\] Connection refused\)"):
        fetch(f"http://127.0.0.1:{port}/release.bin", tmp_path / "set")
    with pytest.raises(DataError, match="is no address on the web"):
        fetch("file:///etc/hostname", tmp_path / "set")


def test_a_server_that_does_not_answer_costs_a_few_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(download, "_READ_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(DataError, match=r"could not be fetched \(timed out\)"):
            fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/release.bin", tmp_path / "set")


def test_too_little_space_is_said_before_the_download(
    server: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=1000))
    with pytest.raises(DataError, match=r"the files of release.bin need 1\.0 MiB in .*BENCH_DATA"):
        fetch(server.url, tmp_path / "set")


@pytest.mark.usefixtures("made_up_sets")
def test_nothing_is_fetched_unless_asked_and_what_was_fetched_is_used(
    server: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    archive = shutil.make_archive(str(tmp_path / "plain"), "zip", made_up.plain_release(tmp_path / "release"))
    server.content = Path(archive).read_bytes()
    offered = replace(made_up.DATASETS["plain"], downloads=(Download(server.url, "plain.zip"),), size="3 kB")
    monkeypatch.setitem(made_up.DATASETS, "plain", offered)
    data_dir = tmp_path / "data"
    with pytest.raises(DataError, match=r"plain needs its release: .*'bench data prepare plain --download' fetch 3 kB"):
        data_folder.prepare(data_dir, "plain")
    assert server.asked == []
    first = data_folder.prepare(data_dir, "plain", download=True)
    assert len(first.rows) == 12
    assert (data_dir / ".downloads" / "plain" / "plain.zip").is_file()
    assert data_folder.prepared(data_dir) == ["plain"]
    shutil.rmtree(first.folder)
    assert data_folder.prepare(data_dir, "plain") == first
    assert len(server.asked) == 1
