from __future__ import annotations

import errno
import multiprocessing
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import otolith
from otolith.evaluate.results import COLUMNS, Provenance, ResultsFile, Row, rows
from otolith.types import DataError

ORIGIN = Provenance("abc", "c" * 64, "d" * 64)


def some(model: str = "tiny", fold: str = "all", seed: int = 0, value: float = 0.1 + 0.2) -> list[Row]:
    found = {"accuracy": value, 'f1/sitting, "slumped"': 1 / 3}
    return rows(found, model=model, dataset="spar", protocol="loso", n=7, provenance=ORIGIN, fold=fold, seed=seed)


@pytest.fixture
def file(tmp_path: Path) -> ResultsFile:
    return ResultsFile(tmp_path / "runs" / "results.csv")


def test_header_is_the_agreed_one(file: ResultsFile) -> None:
    file.append(some())
    first = file.path.read_text().splitlines()[0]
    assert first == "model,dataset,protocol,fold,seed,metric,value,n,commit,config_sha256,data_sha256"
    assert first == ",".join(COLUMNS)


def test_values_and_types_come_back_exactly(file: ResultsFile) -> None:
    file.append(some(fold="0"))
    frame = file.read()
    assert [Row(*row) for row in frame.itertuples(index=False, name=None)] == some(fold="0")
    assert frame["value"].dtype == "float64"
    assert frame["seed"].dtype == frame["n"].dtype == "int64"


def test_no_file_reads_as_no_rows_and_is_not_created(file: ResultsFile) -> None:
    assert list(file.read().columns) == list(COLUMNS)
    assert len(file.read()) == 0
    assert not file.path.exists()


def test_finds_what_the_same_code_configuration_and_data_gave(file: ResultsFile) -> None:
    assert file.of(ORIGIN) == []
    file.append(some())
    assert file.of(ORIGIN) == some()
    for other in ({"commit": "abd"}, {"config_sha256": "e" * 64}, {"data_sha256": "e" * 64}):
        assert file.of(replace(ORIGIN, **other)) == []


@pytest.mark.parametrize("name", [".", "file/results.csv", "file/new/results.csv"])
def test_a_path_that_can_hold_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    for use in (lambda file: file.read(), lambda file: file.append(some())):
        with pytest.raises(DataError, match="give the path of a file in a folder"):
            use(ResultsFile(tmp_path / name))


def test_a_file_cut_anywhere_keeps_its_complete_rows_and_grows_again(file: ResultsFile) -> None:
    file.append(some("first"))
    whole = len(file.path.read_bytes())
    file.append(some("second"))
    data = file.path.read_bytes()
    for cut in [*range(0, len(data), 5), whole - 1, whole, whole + 1, len(data) - 1, len(data)]:
        file.path.write_bytes(data[:cut])
        before = [Row(*row) for row in file.read().itertuples(index=False, name=None)]
        assert before == [*some("first"), *some("second")][: len(before)]
        assert len(before) >= 2 or cut < whole
        file.append(some("third"))
        after = [Row(*row) for row in file.read().itertuples(index=False, name=None)]
        assert after == [*before, *some("third")]


def test_an_evaluation_is_there_as_a_whole_or_not_at_all(
    file: ResultsFile, killed_in: Callable[[Callable[[], object]], None]
) -> None:
    """A process that dies between the two steps of an append leaves nothing that counts."""
    file.append(some("first"))

    killed_in(lambda: file.append(some("second")))
    assert b"econd" in file.path.read_bytes()
    assert "second" not in set(file.read()["model"])
    file.append(some("third"))
    assert list(file.read()["model"]) == ["first", "first", "third", "third"]
    assert b"\0" not in file.path.read_bytes()


def test_a_full_disk_adds_nothing(file: ResultsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.append(some("first"))
    data = file.path.read_bytes()

    def full(descriptor: int, block: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DataError, match="no space left"):
        file.append(some("second"))
    assert file.path.read_bytes() == data


@pytest.mark.parametrize("text", ["name,score\nx,1\n", "just words", "model,dataset\n"])
def test_a_foreign_file_is_refused_and_left_alone(file: ResultsFile, text: str) -> None:
    file.path.parent.mkdir()
    file.path.write_text(text)
    with pytest.raises(DataError, match="is not a results file"):
        file.append(some())
    with pytest.raises(DataError, match="is not a results file"):
        file.read()
    assert file.path.read_text() == text


@pytest.mark.parametrize(("old", "new"), [(",7,", ",seven,"), ("0.30000000000000004", "0,3"), (",loso", "")])
def test_a_damaged_line_is_named(file: ResultsFile, old: str, new: str) -> None:
    file.append(some())
    file.path.write_text(file.path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match="line 2 is damaged"):
        file.read()


def test_names_with_line_breaks_are_refused(file: ResultsFile) -> None:
    with pytest.raises(DataError, match="line break"):
        file.append(some("a\nb"))
    with pytest.raises(ValueError, match="no result"):
        file.append(some(value=float("nan")))
    assert not file.path.exists()


def _append_many(path: Path, name: str) -> None:
    for seed in range(20):
        ResultsFile(path).append(some(name, seed=seed))


def test_processes_that_append_at_once_lose_nothing(file: ResultsFile) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(file.path, f"m{i}")) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert file.read()["model"].value_counts().to_dict() == {"m0": 40, "m1": 40, "m2": 40}


def test_the_configuration_hash_is_about_content() -> None:
    one = Provenance.collect({"a": 1, "b": [1.5, Path("x/y")]}, ["d1", "d2"])
    two = Provenance.collect({"b": (1.5, "x/y"), "a": 1}, ["d2", "d1"])
    assert one == two
    assert one.config_sha256 != Provenance.collect({"a": 2, "b": [1.5, "x/y"]}, []).config_sha256
    assert Provenance.collect({}, ["d1"]).data_sha256 == "d1"
    assert one.data_sha256 not in ("d1", Provenance.collect({}, ["d1", "d3"]).data_sha256)
    with pytest.raises(TypeError, match="no JSON form"):
        Provenance.collect({"a": object()}, [])


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


def test_the_commit_is_that_of_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "src" / "otolith"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("x = 1\n")
    monkeypatch.setattr(otolith, "__file__", str(package / "__init__.py"))
    version = f"v{otolith.__version__}"
    assert Provenance.collect({}, []).commit == version
    git(tmp_path, "init", "-q")
    assert Provenance.collect({}, []).commit == version, "a repository that does not track the package says nothing"
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert Provenance.collect({}, []).commit == commit
    (tmp_path / "notes.txt").write_text("beside the source")
    assert Provenance.collect({}, []).commit == commit
    (package / "__init__.py").write_text("x = 2\n")
    assert Provenance.collect({}, []).commit == f"{commit}+dirty"
