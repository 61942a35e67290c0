"""Archives and datasets behind URLs, and the Ray engine. Ray starts processes, so its tests are slow ones."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from archives import WRITERS
from otolith.data import remote
from otolith.data.conversion import convert_dataset
from otolith.data.registry import CARDS
from otolith.data.remote import is_url, locate
from otolith.data.store import Dataset
from otolith.types import DataError, MissingExtraError

fsspec = pytest.importorskip("fsspec", reason="needs the extra 'ray'")
upath = pytest.importorskip("upath", reason="needs the extra 'ray'")

Archives = Callable[[str], Path | None]
FETCHED = [name for name, about in CARDS.items() if not about.package]


@pytest.fixture
def memory() -> Iterator[Any]:
    """An object store that lives in this process, empty before and after."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("s3://bucket/x", True),
        (Path("s3://bucket/x"), True),
        ("file:///x", True),
        ("memory://x", True),
        ("data/x", False),
        ("/data/x", False),
        ("C:/data", False),
        (Path("data"), False),
        ("a:b", False),
    ],
)
def test_what_is_a_url(place: str | Path, url: bool):
    assert is_url(place) == url


def test_a_path_stays_a_path(tmp_path: Path):
    assert locate(str(tmp_path)) == tmp_path and locate(tmp_path) is tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", FETCHED)
def test_an_archive_behind_a_url_gives_the_same_content(name: str, archives: Archives, memory: Any, tmp_path: Path):
    memory.put(str(archives(name)), f"/raw/{name}", recursive=True)
    there = convert_dataset(name, f"memory://raw/{name}", tmp_path / "there")
    above = convert_dataset(name, "memory://raw", tmp_path / "above", jobs=1)
    here = convert_dataset(name, archives(name), tmp_path / "here")
    assert there["sha256"] == above["sha256"] == here["sha256"]


def test_damage_behind_a_url_is_named(memory: Any, tmp_path: Path):
    WRITERS["hapt"](tmp_path / "raw")
    memory.put(str(tmp_path / "raw"), "/raw", recursive=True)
    memory.pipe("/raw/RawData/gyro_exp02_user01.txt", b"0.1 x 0.2\n")
    with pytest.raises(DataError, match=r"memory://raw/RawData/gyro_exp02_user01.txt, line 1: 'x' is not a number"):
        convert_dataset("hapt", "memory://raw", tmp_path / "hapt")
    memory.rm("/raw/RawData/gyro_exp02_user01.txt")
    with pytest.raises(DataError, match=r"memory://raw/RawData/gyro_exp02_user01.txt is missing"):
        convert_dataset("hapt", "memory://raw", tmp_path / "hapt")
    memory.rm("/raw", recursive=True)
    with pytest.raises(DataError, match=r"no acc_exp\*_user\*.txt of dataset 'hapt' in memory://raw"):
        convert_dataset("hapt", "memory://raw", tmp_path / "hapt")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_dataset_at_a_url_is_complete_and_replaced(archives: Archives, memory: Any, tmp_path: Path):
    info = convert_dataset("wisdm", archives("wisdm"), tmp_path / "wisdm")
    for _ in range(2):
        assert convert_dataset("wisdm", archives("wisdm"), "memory://sets/wisdm") == info
        assert contents(locate("memory://sets/wisdm")) == contents(tmp_path / "wisdm")
        memory.pipe("/sets/wisdm/signals/7-7.npy", b"of an older, larger dataset")
    memory.get("/sets/wisdm", str(tmp_path / "back"), recursive=True)
    (tmp_path / "back/signals/7-7.npy").unlink()
    Dataset.open(tmp_path / "back").verify()


def test_only_the_same_dataset_is_replaced_at_a_url(archives: Archives, memory: Any):
    convert_dataset("hapt", archives("hapt"), "memory://sets/a")
    with pytest.raises(DataError, match="memory://sets/a holds the dataset 'hapt', not 'tug'"):
        convert_dataset("tug", archives("tug"), "memory://sets/a")
    memory.pipe("/sets/a/thesis.txt", b"years of work")
    with pytest.raises(DataError, match=r"holds more than its dataset \(thesis.txt\)"):
        convert_dataset("hapt", archives("hapt"), "memory://sets/a")
    with pytest.raises(DataError, match="memory://sets is there and is no dataset"):
        convert_dataset("hapt", archives("hapt"), "memory://sets")
    assert memory.cat("/sets/a/thesis.txt") == b"years of work"


def test_what_came_to_a_url_meanwhile_is_spared(archives: Archives, memory: Any):
    def work(done: int, total: int) -> None:
        memory.pipe("/sets/hapt/thesis.txt", b"years of work")

    with pytest.raises(DataError, match="memory://sets/hapt is there and is no dataset"):
        convert_dataset("hapt", archives("hapt"), "memory://sets/hapt", progress=work)
    assert memory.find("/sets") == ["/sets/hapt/thesis.txt"]


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("last", [1, 3])  # of four files
def test_an_upload_that_breaks_off_is_no_dataset_and_can_be_made_again(
    before: bool, last: int, archives: Archives, memory: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    if before:
        convert_dataset("hapt", archives("hapt"), "memory://sets/hapt")

    whole, copied = shutil.copyfileobj, []

    def cut(source: io.BufferedIOBase, sink: io.BufferedIOBase, size: int) -> None:
        copied.append(source)
        if len(copied) < last:
            whole(source, sink, size)
        else:
            sink.write(source.read(100))
            raise ConnectionError("connection lost\nin the middle")

    with monkeypatch.context() as patch:
        patch.setattr(remote.shutil, "copyfileobj", cut)
        with pytest.raises(DataError, match=r"^memory://sets/hapt cannot be used: connection lost in the middle;"):
            convert_dataset("hapt", archives("hapt"), "memory://sets/hapt")
    memory.get("/sets/hapt", str(tmp_path / "half"), recursive=True)
    with pytest.raises(DataError, match=r"dataset.json is incomplete"):
        Dataset.open(tmp_path / "half")
    info = convert_dataset("hapt", archives("hapt"), "memory://sets/hapt")
    shutil.rmtree(tmp_path / "half")
    memory.get("/sets/hapt", str(tmp_path / "half"), recursive=True)
    assert Dataset.open(tmp_path / "half").info == info


def test_a_url_that_cannot_be_used_is_one_sentence(archives: Archives, tmp_path: Path):
    for raw, output in ((archives("hapt"), "nowhere://x/hapt"), ("nowhere://x", tmp_path / "hapt")):
        with pytest.raises(
            DataError, match=r"^nowhere://x\S* cannot be used: .*'nowhere'.*; check the address"
        ) as found:
            convert_dataset("hapt", raw, output)
        assert "\n" not in str(found.value)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["s3://bucket/hapt", Path("s3://bucket/hapt")])
def test_a_dataset_is_not_opened_at_a_url(url: str | Path):
    with pytest.raises(DataError, match=r"^s3:/+bucket/hapt is a URL, .* copy the folder to one first"):
        Dataset.open(url)


def test_a_url_without_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'otolith\[ray\]'"):
        convert_dataset("hapt", "memory://raw", tmp_path / "hapt")


def test_ray_without_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"engine 'ray' needs 'ray\[data\]': .*'otolith\[ray\]'"):
        convert_dataset("spar", None, tmp_path / "spar", engine="ray")
    assert not any(tmp_path.iterdir())


@pytest.fixture(scope="module")
def local_ray() -> Iterator[Any]:
    """One Ray of two workers for all tests here; the engine joins it and leaves it running."""
    ray = pytest.importorskip("ray", reason="needs the extra 'ray'")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Ray's own
@pytest.mark.parametrize("name", CARDS)
def test_ray_gives_the_same_content(name: str, local_ray: Any, archives: Archives, tmp_path: Path):
    here = convert_dataset(name, archives(name), tmp_path / "here")
    told: list[tuple[int, int]] = []
    folder = archives(name)
    info = convert_dataset(
        name, folder, tmp_path / "ray", engine="ray", jobs=2, progress=lambda *step: told.append(step)
    )
    assert info["sha256"] == here["sha256"] and local_ray.is_initialized()
    assert told[-1] == (len(told), len(told))
    if folder:
        url = convert_dataset(name, f"local://{folder}", f"file://{tmp_path}/url", engine="ray")
        assert url["sha256"] == here["sha256"] == Dataset.open(tmp_path / "url").sha256


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_ray_says_what_is_damaged(local_ray: Any, tmp_path: Path):
    WRITERS["dsads"](tmp_path / "raw")
    (tmp_path / "raw/data/a01/p2/s07.txt").write_text("x\n")
    said = []
    for engine in ("ray", "threads"):
        with pytest.raises(DataError) as error:
            convert_dataset("dsads", tmp_path / "raw", tmp_path / "dsads", engine=engine)
        said.append(str(error.value))
    assert said[0] == said[1] and "s07.txt, line 1: 1 columns instead of 45" in said[0]
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


OWN = """
import sys
import ray
from otolith.data.conversion import convert_dataset
print(convert_dataset("spar", None, sys.argv[1], engine="ray", jobs=1)["sha256"], ray.is_initialized())
"""


@pytest.mark.slow
def test_ray_is_started_and_stopped_where_there_is_none(spar_dataset: Dataset, tmp_path: Path):
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    done = subprocess.run(
        [sys.executable, "-c", OWN, str(tmp_path / "spar")], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == f"{spar_dataset.sha256} False"
