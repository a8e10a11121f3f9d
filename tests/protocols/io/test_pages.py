"""A page that comes in the place of a file whose digest is not known is never kept as that file."""

import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.errors import DataError
from protocols.io import download
from protocols.io.download import Download

PAGE = b"\xef\xbb\xbf \n<!DOCTYPE html><html><body>Please log in.</body></html>"


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), "words" * 100)  # of 1980: bytes of two calls are equal
    return file.getvalue()


class Server:
    """Serves `content` under any name; counts the requests."""

    content = b""
    asked = 0
    url = ""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(made.content)))
            self.end_headers()
            self.wfile.write(made.content)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        made.url = f"http://127.0.0.1:{running.server_address[1]}"
        yield made
        running.shutdown()
        thread.join()


def fetch(server: Server, folder: Path, name: str) -> None:
    download.fetch_files(
        [Download(f"{server.url}/{name}", name)], folder, notify=lambda _: None, progress=lambda *_: None
    )


@pytest.mark.parametrize("name", ["r.zip", "r.tar.gz", "labels.csv", "frames.npy"])
def test_a_page_is_not_kept_and_the_server_is_asked_again(tmp_path: Path, server: Server, name: str) -> None:
    server.content = PAGE
    for asked in (1, 2):
        with pytest.raises(DataError, match=f"{name} sent is a page, not the file: log in .* pass it as --source"):
            fetch(server, tmp_path / "got", name)
        assert server.asked == asked
        assert not list((tmp_path / "got").glob("*"))


@pytest.mark.parametrize("content", [b"", b"Not found", b'{"error": "quota"}', zipped()[:-40]])
def test_what_is_no_whole_archive_is_not_kept(tmp_path: Path, server: Server, content: bytes) -> None:
    server.content = content
    with pytest.raises(DataError, match=r"r\.zip sent is (empty|no whole archive)"):
        fetch(server, tmp_path / "got", "r.zip")
    server.content = zipped()
    fetch(server, tmp_path / "got", "r.zip")
    assert (tmp_path / "got" / "r.zip").read_bytes() == zipped()


def test_a_page_that_was_kept_once_is_replaced_and_an_archive_is_not(tmp_path: Path, server: Server) -> None:
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "r.zip").write_bytes(PAGE)
    server.content = zipped()
    fetch(server, tmp_path / "got", "r.zip")
    fetch(server, tmp_path / "got", "r.zip")
    assert (tmp_path / "got" / "r.zip").read_bytes() == zipped()
    assert server.asked == 1
