"""The page of a dataset's quality: whole, self-contained, escaped, and true to what was counted."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.evaluate.test_report import EVIL, Page

from faults import plant, write
from otolith.data.channels import Channel
from otolith.data.quality.inspection import Quality, inspect
from otolith.data.recording import Annotation, Recording
from otolith.evaluate.quality_report import render, strip
from otolith.evaluate.quality_report import write as write_page


@pytest.fixture(scope="module")
def quality(spar_recordings: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Quality:
    wrong = [plant(recording, "sign", "double") for recording in spar_recordings[::9]]
    return inspect(write(wrong, tmp_path_factory.mktemp("quality") / "spar", "spar"))


@pytest.fixture(scope="module")
def source(quality: Quality) -> str:
    return render(quality, quality.concerns())


def test_it_says_what_was_found(quality: Quality, source: str) -> None:
    page = Page(source)
    assert len(page.all("li")) >= 3
    for concern in quality.concerns():
        assert concern.text[1:] in page.text and concern.kind in page.text
    for words in ("Gravity at rest", "Gravity against the gyroscope", "Which way gravity points", "Who did what"):
        assert words in page.text
    assert quality.dataset.sha256 in page.text
    assert not re.search(r"\bnan\b", source)


def test_it_asks_for_nothing_from_elsewhere(source: str) -> None:
    page = Page(source)
    assert not page.all("script") and not page.all("link") and not page.all("img")
    assert not re.search(r"(?:src|href|url\()\s*=?\s*[\"']?(?:https?:)?//", source)


def test_the_curve_is_lowest_where_the_rate_is_right(quality: Quality) -> None:
    for body in quality.gyroscope.bodies:
        scales, misfit, windows = quality.gyroscope.curve(body)
        assert scales[np.argmin(misfit)] == 2 and windows > 10


def test_every_text_is_escaped(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    channel = Channel("acc", "acc", "", EVIL, EVIL, gravity=True)
    recordings = [
        Recording(rng.normal(0, 1, (100, 1)).astype(np.float32), 50.0, (channel,), EVIL + str(k), EVIL + str(k),
                  (Annotation(0.0, 1.0, EVIL),))
        for k in range(2)
    ]  # fmt: skip
    recordings.append(replace(recordings[0], name="again"))
    quality = inspect(write(recordings, tmp_path / "own", EVIL))
    page = Page(render(quality, quality.concerns()))
    assert not page.all("script") and not page.all("img")
    assert EVIL in page.text  # as words, and {{ 7 * 7 }} is not worked out


def test_a_dataset_without_motion_has_a_page(tmp_path: Path) -> None:
    heart = Channel("heart_rate", "heart_rate", "", "chest")
    recording = Recording(np.full((90, 1), 61, np.float32), 9.0, (heart,), "1", "one")
    quality = inspect(write([recording], tmp_path / "own"))
    text = Page(render(quality, quality.concerns())).text
    assert "never changes" in text and "Gravity" not in text and "Who did what" not in text


def test_nothing_found_is_said(tmp_path: Path, spar_recordings: list[Recording]) -> None:
    quality = inspect(write(spar_recordings[::9], tmp_path / "spar", "spar"))
    assert "Nothing that a person should know of." in Page(render(quality, quality.concerns())).text


def test_the_file_is_replaced_in_one_step(quality: Quality, source: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("old")
    write_page(quality, quality.concerns(), tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == source
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_dots_lie_where_their_values_are() -> None:
    drawn = strip({"a": [1.0, np.nan, 10.0, 100.0], "b": [0.0]}, (1, 1000), "x", (10, 100), log=True)
    left, right = drawn["left"], drawn["width"] - 16
    a, b = drawn["rows"]
    assert a["dots"] == pytest.approx([left, left + (right - left) / 3, left + (right - left) * 2 / 3], abs=0.1)
    assert a["median"] == a["dots"][1] and a["text"] == "10"
    assert b["dots"] == [left]  # what is not positive lies at the low end
    assert drawn["band"] == pytest.approx((a["dots"][1], a["dots"][2] - a["dots"][1]), abs=0.2)
    assert [text for _, text in drawn["ticks"]] == ["1", "10", "100", "1000"]


def test_many_dots_are_thinned_but_not_the_extremes() -> None:
    values = np.random.default_rng(0).normal(10, 1, 5000)
    (row,) = strip({"a": values}, (0, 20), "x")["rows"]
    (ends,) = strip({"a": [values.min(), values.max()]}, (0, 20), "x")["rows"]
    assert len(row["dots"]) == 300 and [row["dots"][0], row["dots"][-1]] == ends["dots"]
