from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file
from sklearn.datasets import load_iris

from otolith.evaluate import projection
from otolith.evaluate.embedding import Embedding
from otolith.evaluate.embedding_figures import along, animate, between, draw_embedding, space_map
from otolith.evaluate.projection import default_method, explained, layout, shared_components
from otolith.evaluate.study_figures import Gallery
from otolith.types import DataError

IRIS = load_iris()
FEATURES = IRIS.data[::2].astype(np.float32)  # [75, 4], three species
LABELS = tuple(str(IRIS.target_names[i]) for i in IRIS.target[::2])


def small(snapshots: int = 2, windows: int = 75) -> Embedding:
    features = np.stack([FEATURES[:windows] * (1 + n) + 5 * n for n in range(snapshots)])
    subjects = tuple(f"s{i % 3}" for i in range(windows))
    return Embedding(features, LABELS[:windows], subjects, tuple(range(0, 10 * snapshots, 10)), "tiny", "iris")


def test_what_is_saved_is_loaded_again_and_equal_embeddings_are_equal_files(tmp_path: Path) -> None:
    one = small()
    one.save(tmp_path / "one.safetensors")
    one.save(tmp_path / "two.safetensors")
    back = Embedding.load(tmp_path / "one.safetensors")
    np.testing.assert_array_equal(back.features, one.features)
    assert back.features.dtype == np.float32
    assert (back.labels, back.subjects, back.steps) == (one.labels, one.subjects, one.steps)
    assert (back.model, back.dataset) == ("tiny", "iris")
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()


def test_sizes_that_do_not_belong_together_are_refused() -> None:
    one = small()
    for steps in ((0,), (10, 0), (0, 0)):
        with pytest.raises(ValueError, match="steps"):
            Embedding(one.features, one.labels, one.subjects, steps, "m", "d")
    with pytest.raises(ValueError, match=r"\[S, N, F\]"):
        Embedding(one.features[0], one.labels, one.subjects, (0,), "m", "d")
    with pytest.raises(ValueError, match="finite"):
        Embedding(one.features * np.nan, one.labels, one.subjects, one.steps, "m", "d")


@pytest.mark.parametrize("kind", ["missing", "foreign", "truncated", "version", "short"])
def test_files_that_cannot_be_used(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "e.safetensors"
    about = {"version": 1, "labels": ["a"], "subjects": ["s"], "steps": [0], "model": "m", "dataset": "d"}
    if kind == "foreign":
        save_file({"weight": np.zeros(3, np.float32)}, path)
    elif kind == "truncated":
        small().save(path)
        path.write_bytes(path.read_bytes()[:-100])
    elif kind != "missing":
        about["version"] = 9 if kind == "version" else 1
        save_file({"features": np.zeros((1, 2, 3), np.float32)}, path, {"otolith-embedding": json.dumps(about)})
    sentence = {"missing": "there is no embedding", "foreign": "is no embedding", "version": "embedding version 9"}
    with pytest.raises(DataError, match=sentence.get(kind, "is damaged")):
        Embedding.load(path)


def test_all_snapshots_share_their_axes() -> None:
    one = small(3)
    points = shared_components(one.features, 3)
    assert points.shape == (3, 75, 3)
    centred = one.features - one.features.mean(axis=1, keepdims=True)
    for snapshot, mine in zip(points, centred, strict=True):
        gaps = np.linalg.norm(snapshot[:, None] - snapshot[None], axis=-1)
        assert (gaps <= np.linalg.norm(mine[:, None] - mine[None], axis=-1) + 1e-4).all(), "a projection shortens"
    np.testing.assert_allclose(points[1], 2 * points[0], atol=1e-4)  # this snapshot is the first one, twice as large
    nudged = one.features.copy()
    nudged[0] += 1e-3 * np.random.default_rng(0).normal(size=nudged[0].shape)
    assert np.abs(shared_components(nudged, 3)[0] - points[0]).max() < 0.01, "little changes move points a little"
    assert explained(one.features[-1], 4) == pytest.approx(1)
    assert 0.9 < explained(one.features[-1], 2) < 1
    assert shared_components(one.features[:, :, :1], 3)[:, :, 1:].max() == 0, "axes that are not there are zero"


def test_layouts_say_what_they_are_and_are_repeatable() -> None:
    flat = layout(FEATURES, 2, "pca")
    assert flat.name == "principal component" and flat.points.shape == (75, 2)
    one, two = (layout(FEATURES, 2, "tsne", seed=3) for _ in range(2))
    assert one.name == "t-SNE" and (one.points == two.points).all()
    assert layout(FEATURES[:5], 3, "tsne").name == "principal component", "too few to lay out otherwise"
    with pytest.raises(ValueError, match="umap, tsne, pca"):
        layout(FEATURES, 2, "mds")


def test_umap_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    class Umap:
        def __init__(self, **settings: Any) -> None:
            asked.update(settings)

        def fit_transform(self, features: Any) -> Any:
            return features[:, :2]

    fake = types.ModuleType("umap")
    fake.UMAP = Umap  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "umap", fake)
    monkeypatch.setattr(projection, "find_spec", lambda name: object())
    assert layout(FEATURES, 2).name == "UMAP" and asked["n_components"] == 2
    monkeypatch.setattr(projection, "find_spec", lambda name: None)
    assert default_method() == "tsne"


@pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason="needs the extra 'maps'")
def test_umap_itself() -> None:
    assert layout(FEATURES, 2, "umap").points.shape == (75, 2)


def test_every_window_is_a_mark_in_space() -> None:
    points = shared_components(FEATURES[None], 3)[0]
    figure = space_map(points, LABELS, sorted(set(LABELS)), "principal component")
    axes: Any = figure.axes[0]
    shown = np.concatenate([np.stack(c._offsets3d, axis=1) for c in axes.collections])
    np.testing.assert_allclose(sorted(map(tuple, shown)), sorted(map(tuple, points)), atol=1e-6)
    spans = [np.ptp(axis.get_view_interval()) for axis in (axes.xaxis, axes.yaxis, axes.zaxis)]
    assert spans == pytest.approx([spans[0]] * 3), "one scale for all axes"


def test_points_move_straight_and_in_small_steps() -> None:
    one = small(3)
    points = shared_components(one.features, 3)
    motion = between(points, one.steps, one.labels)
    assert len(motion.frames) == len(motion.titles) == 8 * 3
    np.testing.assert_allclose(motion.frames[[0, 8, -1]], points)
    jumps = np.abs(np.diff(motion.frames, axis=0)).max()
    assert jumps <= np.abs(np.diff(points, axis=0)).max() / 8 + 1e-9
    assert motion.titles[0] == "step 0" and motion.titles[4] == "step 5" and motion.titles[-1] == "step 20"


def test_along_a_recording_windows_come_one_after_the_other() -> None:
    points = shared_components(FEATURES[None], 3)[0]
    subjects = ["s1"] * 5 + ["s2"] * 70
    motion = along(points, LABELS, subjects, most=10)
    there = [int((~np.isnan(frame[:, 0])).sum()) for frame in motion.frames]
    assert there == sorted(there) and (there[0], there[-1]) == (1, 70)
    np.testing.assert_allclose(motion.frames[-1], points[5:])
    np.testing.assert_allclose(motion.cloud, points[:5])
    assert motion.titles[-1].startswith("s2, window 70 of 70")


@pytest.mark.slow
def test_the_moving_map_is_a_gif_of_all_frames_with_steady_colours(tmp_path: Path) -> None:
    motion = along(shared_components(FEATURES[None], 3)[0], LABELS, ["s1"] * 75, most=4)
    animate(motion, sorted(set(LABELS)), 0.9, Gallery(tmp_path), "map", {"x": [1.0]})
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".csv", ".gif", ".pdf", ".png"]
    blues = []
    with Image.open(tmp_path / "map.gif") as image:
        assert image.n_frames == 4  # type: ignore[attr-defined]
        for frame in range(4):
            image.seek(frame)
            colours = np.asarray(image.convert("RGB")).reshape(-1, 3)
            blues.append((np.abs(colours.astype(int) - [0x00, 0x72, 0xB2]).max(axis=1) <= 4).sum())
    assert min(blues) > 10, "the first label's colour is in its legend in every frame"


@pytest.mark.slow
def test_an_embedding_gives_all_its_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otolith.evaluate.embedding_figures._BETWEEN", 1)
    chart = draw_embedding(small(2, windows=9), Gallery(tmp_path))
    names = {p.name for p in tmp_path.iterdir()}
    assert {f"embedding-{kind}-iris-tiny.png" for kind in ("2d", "3d", "4d")} <= names
    assert "embedding-4d-iris-tiny.gif" in names
    lines = (tmp_path / "embedding-4d-iris-tiny.csv").read_text().splitlines()
    assert lines[0] == "step,label,subject,x,y,z" and len(lines) == 1 + 2 * 9
    assert len(chart.labels) == 9 and "principal component of 9 windows" in chart.caption
