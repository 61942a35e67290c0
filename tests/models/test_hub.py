"""Models of the hub by owner/name, from a server on this machine in place of the network."""

from __future__ import annotations

import builtins
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from otolith.models.encoder import EncoderConfig
from otolith.models.hub import is_hub_id
from otolith.models.io import read_checkpoint
from otolith.models.model import Otolith
from otolith.types import MissingExtraError

pytest.importorskip("huggingface_hub")
LOAD = "import sys\nfrom otolith import Otolith, load_model\nprint(load_model(sys.argv[1]).fingerprint())"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "published.safetensors"
    Otolith(EncoderConfig(dim=16, heads=2, blocks=1), meta={"stage": "align"}).save(path)
    return path


@pytest.fixture
def endpoint(published: Path) -> Iterator[str]:
    """A server that has `ann/gym` and nothing else."""
    content = published.read_bytes()

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            there = self.path == "/ann/gym/resolve/main/model.safetensors"
            self.send_response(200 if there else 404)
            if there:
                self.send_header("X-Repo-Commit", "a" * 40)
                self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            else:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", str(len(content) if there else 0))
            self.end_headers()
            if body and there:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def load(name: str, endpoint: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the hub's client reads its environment when it is imported."""
    return subprocess.run(
        [sys.executable, "-c", LOAD, name],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cache.parent,
        env={**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1"},
    )


@pytest.mark.slow
def test_by_owner_and_name(endpoint: str, published: Path, tmp_path: Path) -> None:
    done = load("ann/gym", endpoint, tmp_path / "cache")
    assert done.stdout.strip() == Otolith.from_pretrained(published).fingerprint(), done.stderr
    absent = load("ann/none", endpoint, tmp_path / "cache")
    assert "there is no checkpoint at ann/none, and no model.safetensors of that name" in absent.stderr.splitlines()[-1]


@pytest.mark.slow
def test_without_network(tmp_path: Path) -> None:
    done = load("ann/gym", "http://127.0.0.1:9", tmp_path / "cache")
    assert "the Hugging Face hub cannot be reached" in done.stderr.splitlines()[-1], done.stderr


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "huggingface_hub":
            raise ImportError(name)
        return plain(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"ann/gym.*pip install 'otolith\[hub\]'"):
        read_checkpoint(Path("ann/gym"))


def test_what_may_be_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    assert is_hub_id("ann/gym") and is_hub_id("ann/gym@v1.0")
    for name in ("gym", "/ann/gym", "runs/best", "ann/gym.safetensors", "a/b/c", "../gym", "ann/"):
        assert not is_hub_id(name), name
