"""Downloads from a server of our own that breaks off, is busy, lies about lengths, and replaces its files."""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from otolith.data import download as downloading
from otolith.data.card import DatasetCard, Source
from otolith.data.download import download, fetch, file_name, sources_of
from otolith.data.registry import card
from otolith.types import ConfigError, DataError

CONTENT = np.random.default_rng(1).bytes(3_000_000)
LOST = 2 * 65_536
"""The most that a break costs."""


@dataclass
class Server:
    """What the server does next; each entry of `faults` is used up by one request."""

    url: str = ""
    content: bytes = CONTENT
    etag: str = '"one"'
    ranges: bool = True
    says: int = 0  # bytes added to the true length
    faults: list[str] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)  # path, range


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def answer(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def do_GET(self) -> None:
            state.requests.append((self.path, self.headers.get("Range", "")))
            fault = state.faults.pop(0) if state.faults else ""
            if fault.isdigit():
                self.answer(int(fault), Content_Length="0")
            elif fault.startswith("to "):
                self.answer(302, Location=fault[3:], Content_Length="0")
            else:
                self.send_content(fault)

        def send_content(self, fault: str) -> None:
            begin = 0
            wanted = self.headers.get("Range", "")
            if wanted and state.ranges and self.headers.get("If-Range") == state.etag:
                begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
            rest = state.content[begin:]
            headers = {"Content_Length": str(len(rest) + state.says), "ETag": state.etag}
            if begin:
                headers["Content_Range"] = f"bytes {begin}-{len(state.content) - 1}/{len(state.content)}"
            self.answer(206 if begin else 200, **headers)
            self.wfile.write(rest[: len(rest) // 2] if fault == "break" else rest)
            self.close_connection = True

    class Http(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that has seen enough is no error."""

    http = Http(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_port}/a%20b+c.zip"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


def get(server: Server, folder: Path, **known: object) -> Path:
    return fetch(Source(server.url, direct=True, **known), folder, pause=0.0)  # type: ignore[arg-type]


def test_a_file_arrives_whole_and_once(server: Server, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    path = fetch(Source(server.url), tmp_path, lambda *what: told.append(what), pause=0)
    assert path.name == "a b c.zip" and path.read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["a b c.zip"]
    assert told[-1] == ("a b c.zip", len(CONTENT), len(CONTENT)) and len(told) > 1
    assert get(server, tmp_path) == path and len(server.requests) == 1


def test_a_transfer_that_breaks_off_is_taken_up_where_it_was(server: Server, tmp_path: Path) -> None:
    server.faults = ["break", "503", "break"]
    assert get(server, tmp_path).read_bytes() == CONTENT
    first, *later = [int(ranged.strip("bytes=-") or 0) for _, ranged in server.requests]
    half, quarter = len(CONTENT) // 2, len(CONTENT) // 4
    assert first == 0 and later[0] == later[1]
    assert half - LOST < later[0] <= half and half + quarter - LOST < later[2] <= half + quarter


def test_another_command_takes_it_up_too(server: Server, tmp_path: Path) -> None:
    server.faults = ["break"] + ["500"] * 10
    with pytest.raises(DataError, match="could not be fetched in 6 attempts .*what has arrived is kept"):
        get(server, tmp_path)
    server.faults = []
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert int(server.requests[-1][1].strip("bytes=-")) > len(CONTENT) // 2 - LOST


@pytest.mark.parametrize("change", ["etag", "no ranges", "no mark"])
def test_where_it_cannot_be_taken_up_it_begins_anew(change: str, server: Server, tmp_path: Path) -> None:
    """A server that has replaced the file meanwhile must not give its second half."""
    server.faults = ["break"] + ["500"] * 10
    with pytest.raises(DataError):
        get(server, tmp_path)
    server.faults = []
    if change == "etag":
        server.etag, server.content = '"two"', CONTENT[::-1]
    elif change == "no ranges":
        server.ranges = False
    else:
        (tmp_path / "a b c.zip.part.json").unlink()
    assert get(server, tmp_path).read_bytes() == server.content


def test_other_size_than_published(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"would give {len(CONTENT)} bytes where 17 are expected"):
        get(server, tmp_path, bytes=17)
    assert list(tmp_path.iterdir()) == []


def test_a_length_that_is_not_kept_is_no_file(server: Server, tmp_path: Path) -> None:
    server.says = 10
    with pytest.raises(DataError, match="could not be fetched"):
        get(server, tmp_path)
    assert not (tmp_path / "a b c.zip").exists()


@pytest.mark.parametrize("status", ["404", "403", "410"])
def test_what_is_not_there_is_said_at_once(status: str, server: Server, tmp_path: Path) -> None:
    server.faults = [status]
    with pytest.raises(DataError, match=f"answers {status}, so the file is not there"):
        get(server, tmp_path)
    assert len(server.requests) == 1


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not be fetched in 6 attempts"):
        fetch(Source("http://127.0.0.1:9/x.zip"), tmp_path, pause=0)


def test_redirections(server: Server, tmp_path: Path) -> None:
    server.faults = ["to /elsewhere?x=1"]
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.requests[-1][0] == "/elsewhere?x=1"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.org/static/daily+and+sports+activities.zip", "daily and sports activities.zip"),
        ("https://a.org/get/..%2F..%2Fetc%2Fpasswd", "_.._etc_passwd"),
        ("https://a.org/", "archive"),
        ("https://a.org/x.zip?download=1", "x.zip"),
    ],
)
def test_names_are_plain(url: str, name: str) -> None:
    assert file_name(Source(url)) == name


# A whole dataset


@pytest.fixture
def about(server: Server, tmp_path: Path) -> DatasetCard:
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as file:
        file.writestr("RawData/labels.txt", "1 1 5 1 2\n")
    server.content = (tmp_path / "made.zip").read_bytes()
    return replace(card("hapt"), sources=(Source(server.url, direct=True),))


def test_download_unpacks_and_pins(about: DatasetCard, server: Server, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    assert download(about, raw) == raw / "hapt"
    assert (raw / "hapt/RawData/labels.txt").read_text() == "1 1 5 1 2\n"
    pin = json.loads((raw / "archives/hapt/sources.json").read_text())["a b c.zip"]
    assert pin == {
        "url": server.url,
        "sha256": hashlib.sha256(server.content).hexdigest(),
        "bytes": len(server.content),
    }
    (source,) = sources_of(about, raw)
    assert (source.sha256, source.bytes) == (pin["sha256"], pin["bytes"])
    download(about, raw)
    assert len(server.requests) == 1


def test_a_file_that_has_changed_since_is_refused(about: DatasetCard, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    download(about, raw)
    with (raw / "archives/hapt/a b c.zip").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DataError, match="not the one that it had at its first arrival"):
        download(about, raw)
    assert (raw / "hapt/RawData/labels.txt").is_file()


def test_a_file_that_is_not_the_published_one_is_refused(about: DatasetCard, tmp_path: Path) -> None:
    wrong = replace(about, sources=(replace(about.sources[0], sha256="0" * 64),))
    with pytest.raises(DataError, match="not the one published, 000000000000"):
        download(wrong, tmp_path / "raw")
    assert not (tmp_path / "raw/hapt").exists()


def test_a_folder_of_somebody_else_is_left_alone(about: DatasetCard, tmp_path: Path) -> None:
    mine = tmp_path / "raw/hapt/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(DataError, match="was not unpacked by otolith, so it is left as it is"):
        download(about, tmp_path / "raw")
    assert mine.read_text() == "mine"


def test_behind_a_form(about: DatasetCard, server: Server, tmp_path: Path) -> None:
    locked = replace(about, sources=(Source("https://a.org/form"),), access="ask for hapt.zip at https://a.org/form")
    place = tmp_path / "raw/archives/hapt"
    with pytest.raises(ConfigError, match="ask for hapt.zip at https://a.org/form; put what you get into .*archives"):
        download(locked, tmp_path / "raw")
    place.mkdir(parents=True)
    (place / "hapt.zip").write_bytes(server.content)
    assert (download(locked, tmp_path / "raw") / "RawData/labels.txt").is_file()
    assert sources_of(locked, tmp_path / "raw")[-1].sha256 == hashlib.sha256(server.content).hexdigest()


def test_inside_a_package(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pip install seglearn"):
        download(card("spar"), tmp_path)


def test_a_server_that_never_ends(about: DatasetCard, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(downloading, "MAX_BYTES", 100)
    with pytest.raises(DataError, match="where at most 100 are expected"):
        get(server, tmp_path / "x")
