from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from otolith.data.converters import tables
from otolith.data.converters.layout import LOST, Content, Kind, Layout
from otolith.data.converters.tables import find_folder, read_blocks, read_columns, read_joined, read_numbers
from otolith.types import DataError

ROWS = "1,2\n3,4\n"
KINDS: dict[str, Kind] = {"who": ("ann", "bob"), "x": np.float64}
MARKED = Layout(KINDS, ending=";")


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
    columns = read_columns(path, MARKED)
    assert columns["who"].tolist() == [1, 0] and columns["x"].tolist() == [2.0, 1.5]


@pytest.mark.parametrize("line", ["ann,1;5;", "ann,1.5;;", "ann,;", "ann,x;", "ann,inf;"])
def test_what_is_no_number_before_the_mark_is_named(line: str, tmp_path: Path):
    (path,) = write(tmp_path, f"bob,2;\n{line}\n")
    with pytest.raises(DataError, match=r"0.txt, line 2: '.*' is not a number"):
        read_columns(path, MARKED)


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
        lambda: read_columns(path, MARKED),
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


# Tables of columns of several kinds

PEOPLE = Layout({"who": ("ann", "bob"), "t": np.int64, "x": np.float32, "": None}, header=True)
HEADER = "who,t,x,\n"


def test_columns_are_of_their_kinds(tmp_path: Path):
    (path,) = write(tmp_path, '\ufeff"who","t",x,""\r\n"bob" ,1700000000123456789,1e-3,?\r\n\r\nann, 5,-2.5,\r\n')
    columns = read_columns(path, PEOPLE)
    assert {name: (values.dtype, values.tolist()) for name, values in columns.items()} == {
        "who": (np.int16, [1, 0]),
        "t": (np.int64, [1_700_000_000_123_456_789, 5]),
        "x": (np.float32, [np.float32(1e-3), -2.5]),
    }


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("eve,1,2,", "line 3: who 'eve' is not one of ann, bob"),
        (",1,2,", "line 3: who '' is not one of ann, bob"),
        ("ann,1.5,2,", "line 3: '1.5' is not a whole number"),
        ("ann,,2,", "line 3: '' is not a whole number"),
        ("ann,99999999999999999999,2,", "line 3: '99999999999999999999' is beyond what any sensor gives"),
        ("ann,1,1e39,", "line 3: '1e39' is beyond what any sensor gives"),
        ("ann,1,-1000000000,", "line 3: '-1000000000' is beyond what any sensor gives"),
        ("ann,1,1_0,", "line 3: '1_0' is not a number"),
        ("ann,1,,", "line 3: '' is not a number"),
        ("ann,1,nan,", "line 3: 'nan' is not a number"),
        ("ann,1,2", "line 3: 3 columns instead of 4"),
        ('ann,1,"2,', "line 3: '\"2' is not a number"),
    ],
)
@pytest.mark.parametrize("size", [50, 1 << 20])
def test_what_does_not_belong_in_a_column_is_named(
    line: str, sentence: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tables, "BLOCK_BYTES", size)
    (path,) = write(tmp_path, HEADER + f"ann,1,2,\n{line}\n" + "ann,1,2,\n" * 9)
    with pytest.raises(DataError, match=re.escape(f"{path}, {sentence}")):
        read_columns(path, PEOPLE)


def test_words_that_are_numbers_in_order_are_not_listed_one_by_one(tmp_path: Path):
    (path,) = write(tmp_path, "12\n13\n")
    with pytest.raises(DataError, match="line 2: code '13' is not one of 0 to 12"):
        read_columns(path, Layout({"code": [str(code) for code in range(13)]}))
    with pytest.raises(DataError, match="line 2: code '13' is not one of 1, 12"):
        read_columns(path, Layout({"code": ["1", "12"]}))


OTHERS = Layout({"x": np.float64, "y": np.float64}, header=True, others=True, aliases={"ordinate": "y"}, lost=LOST)


def test_columns_may_lie_among_others_in_any_order(tmp_path: Path):
    (path,) = write(tmp_path, 'a,ordinate,a,x\n"now, or never",1,,2\n?,nan,?,\n')
    columns = read_columns(path, OTHERS)
    np.testing.assert_array_equal([columns["x"], columns["y"]], [[2, np.nan], [1, np.nan]])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("x,a\n1,2\n", "line 1: column 'y' is missing; expected x, y"),
        ("x,y,ordinate\n1,2,3\n", "line 1: column 'y' is there twice; expected x, y"),
        ("x,y\n1,2\n1,inf\n", "line 3: 'inf' is not a number"),
        ("x,y\n1,2\n1,1e10\n", "line 3: '1e10' is beyond what any sensor gives"),
    ],
)
def test_damage_among_other_columns_is_named(content: str, sentence: str, tmp_path: Path):
    (path,) = write(tmp_path, content)
    with pytest.raises(DataError, match=re.escape(f"{path}, {sentence}")):
        read_columns(path, OTHERS)


@pytest.mark.parametrize("content", ["", "\n", HEADER, HEADER + "\n\r\n"])
def test_a_table_without_rows_is_empty(content: str, tmp_path: Path):
    (path,) = write(tmp_path, content)
    with pytest.raises(DataError, match=r"0\.txt is empty|line 1: column 'who' is missing"):
        read_columns(path, PEOPLE)


def test_blocks_tell_the_line_of_their_first_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "BLOCK_BYTES", 50)
    (path,) = write(tmp_path, HEADER + "".join(f"ann,{k},2,\n" for k in range(2, 40)))
    found = list(read_blocks(path, PEOPLE))
    assert len(found) > 5
    assert [line for line, _ in found] == [int(block["t"][0]) for _, block in found]
    assert np.concatenate([block["t"] for _, block in found]).tolist() == list(range(2, 40))


def test_a_table_without_end_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "BLOCK_BYTES", 50)
    monkeypatch.setattr(tables, "_MOST_CELLS", 20)
    (path,) = write(tmp_path, HEADER + "ann,1,2,\n" * 40)
    with pytest.raises(DataError, match=r"0\.txt has more than \d\d? lines, so it is none of the archive"):
        read_columns(path, PEOPLE)


def test_a_table_in_memory_has_a_name(tmp_path: Path):
    assert read_numbers(Content("a.zip/b.csv", b"1,2\n3,4\n"), ("a", "b")).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(DataError, match=r"^a\.zip/b\.csv, line 4: 'x' is not a number$"):
        read_numbers(Content("a.zip/b.csv", b"\n\n1,2\n3,x\n"), ("a", "b"))
