from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from otolith.data.converters.tables import find_folder, read_columns, read_joined, read_numbers
from otolith.types import DataError

ROWS = "1,2\n3,4\n"
KINDS = {"who": pa.string(), "x": pa.float64()}


def write(path: Path, *contents: str) -> list[Path]:
    paths = [path / f"{number}.txt" for number in range(len(contents))]
    for file, content in zip(paths, contents, strict=True):
        file.write_bytes(content.encode())
    return paths


@pytest.mark.parametrize("last", [ROWS, "1,2\n3,4", "1,2\n3,4\n\n", "1,2\r\n3,4\r\n\r\n", "1,2\r\n3,4"])
def test_the_end_of_a_joined_file_may_differ(last: str, tmp_path: Path):
    numbers = read_joined(write(tmp_path, last, ROWS), ("a", "b"), 2)
    np.testing.assert_array_equal(numbers, np.array([[1, 2], [3, 4], [1, 2], [3, 4]], np.float32))


@pytest.mark.parametrize("contents", [("1,2\n", ROWS + "5,6\n"), (ROWS + "5,6\n", "1,2\n"), ("1,2\n\n3,4\n", ROWS)])
def test_lines_missing_in_one_joined_file_are_not_made_up_for_by_another(contents: tuple[str, ...], tmp_path: Path):
    with pytest.raises(DataError, match=r"of numbers instead of 2|holds a damaged file"):
        read_joined(write(tmp_path, *contents), ("a", "b"), 2)


@pytest.mark.parametrize("line", ["ann,1.5;", "ann,1.5", "ann,1.5 ;", "ann, 1.5;"])
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_mark_at_the_end_of_a_line_is_optional(line: str, end: str, tmp_path: Path):
    (path,) = write(tmp_path, f"bob,2;\n{line}{end}")
    columns = read_columns(path, KINDS, ending=";")
    assert columns["who"].tolist() == ["bob", "ann"] and columns["x"].tolist() == [2.0, 1.5]


@pytest.mark.parametrize("line", ["ann,1;5;", "ann,1.5;;", "ann,;", "ann,x;", "ann,inf;"])
def test_what_is_no_number_before_the_mark_is_named(line: str, tmp_path: Path):
    (path,) = write(tmp_path, f"bob,2;\n{line}\n")
    with pytest.raises(DataError, match=r"0.txt, line 2: '.*' is not a number"):
        read_columns(path, KINDS, ending=";")


@pytest.mark.parametrize("strange", ["\x1b[2J\u2028x\x00", "9" * 500 + "x"])
def test_what_a_stranger_wrote_is_shown_safely(strange: str, tmp_path: Path):
    (path,) = write(tmp_path, f"1,2\n{strange},4\n")
    with pytest.raises(DataError, match=r"line 2: '.*' is not a number") as caught:
        read_numbers(path, ("a", "b"))
    assert str(caught.value).isprintable() and len(str(caught.value)) < len(str(path)) + 150
    (path,) = write(tmp_path, f"a,{strange}\n1,2\n")
    with pytest.raises(DataError, match="line 1: column 'b' is missing"):
        read_numbers(path, ("a", "b"), header=True)
    with pytest.raises(DataError, match="line 1: columns are ") as caught:
        read_numbers(path, ("a",), header=True)
    assert str(caught.value).isprintable() and len(str(caught.value)) < len(str(path)) + 150


def test_a_line_without_end_is_not_read_whole(tmp_path: Path):
    (path,) = write(tmp_path, "1,2\n" + "1," * 3_000_000)
    with pytest.raises(DataError, match=r"0.txt, line 2: 524289 columns instead of 2"):
        read_numbers(path, ("a", "b"))


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_is_no_file(there: bool, tmp_path: Path):
    path = tmp_path / "x.txt"
    if there:
        path.mkdir()
    for read in (
        lambda: read_numbers(path, ("a",)),
        lambda: read_columns(path, KINDS),
        lambda: read_joined([path], ("a",), 1),
    ):
        with pytest.raises(DataError, match=re.escape(f"{path} is missing")):
            read()


def test_the_first_folder_with_the_files_is_taken(tmp_path: Path):
    (tmp_path / "b/raw").mkdir(parents=True)
    write(tmp_path / "b/raw", "")
    assert find_folder(tmp_path, ("./a", "./b/raw", "b"), "*.txt", "x") == tmp_path / "b/raw"
    assert find_folder(tmp_path / "b/raw", ("a", "."), "*.txt", "x") == tmp_path / "b/raw"
    with pytest.raises(DataError, match=r"no \*.csv of dataset 'x' in "):
        find_folder(tmp_path, (".", "b"), "*.csv", "x")
