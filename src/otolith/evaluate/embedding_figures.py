"""Maps of an embedding: in two and in three dimensions, and one that moves (the fourth dimension is time)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from otolith.evaluate import figures
from otolith.evaluate.embedding import Embedding
from otolith.evaluate.figures import style
from otolith.evaluate.projection import Floats, explained, layout, shared_components
from otolith.evaluate.report import EmbeddingMap
from otolith.evaluate.study_figures import Gallery
from otolith.files import atomic_file
from otolith.palette import colours, rgb

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_WINDOWS = 1500
"""That are laid out; more are thinned evenly, so that a map takes seconds."""

_BETWEEN = 8  # frames from one snapshot to the next


def draw_embedding(found: Embedding, gallery: Gallery) -> EmbeddingMap:
    """Saves all maps of an embedding; the interactive one of its last snapshot."""
    kept = np.unique(np.linspace(0, len(found.labels) - 1, MOST_WINDOWS).round().astype(int))
    features = found.features[:, kept]
    labels, subjects = ([names[i] for i in kept] for names in (found.labels, found.subjects))
    classes, place = sorted(set(labels)), f"{found.dataset}-{found.model}"
    flat, deep = (layout(features[-1], dimensions) for dimensions in (2, 3))
    who = {"label": labels, "subject": subjects}
    figure = figures.embedding_map(flat.points, labels, classes, flat.name)
    gallery.add(f"embedding-2d-{place}", figure, {**who, **_columns(flat.points)})
    figure = space_map(deep.points, labels, classes, deep.name)
    gallery.add(f"embedding-3d-{place}", figure, {**who, **_columns(deep.points)})
    _draw_motion(found, kept if len(found.steps) > 1 else _with_one_whole(found.subjects, kept), gallery, place)
    caption = f"{found.model} on {found.dataset}, step {found.steps[-1]}: {flat.name} of {len(kept)} windows."
    return EmbeddingMap(flat.points, labels, subjects, classes, caption)


def _draw_motion(found: Embedding, rows: NDArray[np.int64], gallery: Gallery, place: str) -> None:
    """The map that moves: over training where there are snapshots, else over one person's recordings."""
    features = found.features[:, rows]
    labels, subjects = ([names[i] for i in rows] for names in (found.labels, found.subjects))
    moving, share = shared_components(features, 3), explained(features[-1], 3)
    motion = between(moving, found.steps, labels) if len(found.steps) > 1 else along(moving[0], labels, subjects)
    columns = np.repeat(found.steps, len(rows)), labels * len(moving), subjects * len(moving)
    data = {**dict(zip(("step", "label", "subject"), columns, strict=True)), **_columns(moving.reshape(-1, 3))}
    animate(motion, sorted(set(labels)), share, gallery, f"embedding-4d-{place}", data)


def _with_one_whole(subjects: Sequence[str], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows, and all of the person who has most: a path through thinned windows would jump."""
    names, counts = np.unique(np.asarray(subjects), return_counts=True)
    mine = np.flatnonzero(np.asarray(subjects) == names[counts.argmax()])
    return np.union1d(rows, mine[:MOST_WINDOWS])


def space_map(points: Floats, labels: Sequence[str], classes: Sequence[str], axis: str) -> Figure:
    """Scatter of `points` [N, 3], one colour and mark for each label.

    Args:
        points: [N, 3].
        labels: [N].
        classes: Labels in the order of their colours.
        axis: What the axes are called, before their number.
    """
    with style():
        figure, axes = _space(axis, _ends(points))
        names = np.asarray(labels)
        for label, (colour, mark) in figures.looks(labels, classes).items():
            mine = points[names == label]
            axes.scatter(*mine.T, s=10, c=colour, marker=mark, label=label, alpha=0.75, linewidths=0)
        _legend(figure, classes)
        return figure


@dataclass(frozen=True)
class Motion:
    """What is drawn frame after frame.

    Attributes:
        frames: [K, N, 3]; NaN where a window is not there yet.
        titles: [K] what is written over each frame.
        labels: [N].
        trail: Windows that a line joins to the last one that is there.
        cloud: [M, 3] pale points behind, the same in all frames.
    """

    frames: Floats
    titles: Sequence[str]
    labels: Sequence[str]
    trail: int
    cloud: Floats


def between(points: Floats, steps: Sequence[int], labels: Sequence[str]) -> Motion:
    """Each window [S, N, 3] on its way from one snapshot straight to the next."""
    frames, titles = [], []
    for number in range(len(steps) - 1):
        for share in np.arange(_BETWEEN) / _BETWEEN:
            frames.append((1 - share) * points[number] + share * points[number + 1])
            titles.append(f"step {steps[number] + share * (steps[number + 1] - steps[number]):.0f}")
    frames += [points[-1]] * _BETWEEN
    titles += [f"step {steps[-1]}"] * _BETWEEN
    return Motion(np.stack(frames), titles, labels, 0, np.empty((0, 3)))


def along(points: Floats, labels: Sequence[str], subjects: Sequence[str], most: int = 60) -> Motion:
    """The windows [N, 3] of the person who has most of them, one after the other as they were recorded."""
    names, counts = np.unique(np.asarray(subjects), return_counts=True)
    person = str(names[counts.argmax()])
    rows = np.flatnonzero(np.asarray(subjects) == person)
    frames, titles = [], []
    for last in np.unique(np.linspace(1, len(rows), min(most, len(rows))).round().astype(int)):
        frames.append(np.concatenate([points[rows[:last]], np.full((len(rows) - last, 3), np.nan)]))
        titles.append(f"{person}, window {last} of {len(rows)} as they were recorded; pale: other people")
    others = np.delete(points, rows, axis=0)
    return Motion(np.stack(frames), titles, [labels[int(row)] for row in rows], 8, others)


def animate(
    motion: Motion, classes: Sequence[str], share: float, gallery: Gallery, name: str, data: Mapping[str, Any]
) -> None:
    """Writes the motion as a GIF, its last frame as PNG and PDF, and `data` beside them."""
    names = np.asarray(motion.labels)
    with style():
        figure, axes = _space("principal component", _ends(np.concatenate([*motion.frames, motion.cloud])))
        axes.computed_zorder = False  # by depth, the cloud would hide what moves
        axes.scatter(*motion.cloud.T, s=6, c="#dddddd", linewidths=0, depthshade=False, zorder=1)
        trail = axes.plot([], [], [], color="black", linewidth=0.9, zorder=3)[0]
        shades = colours(motion.labels, classes)
        size = 18 if motion.trail else 10
        marks = {label: axes.scatter([], [], [], s=size, c=shade, label=label, linewidths=0, depthshade=False, zorder=2)
                 for label, shade in shades.items()}  # fmt: skip
        _legend(figure, list(shades))
        note = f"the same axes in all frames: principal components at the end, {share:.0%} of the variance there"
        figure.text(0.02, 0.95, note, va="top", fontsize=8)
        heading = figure.text(0.02, 0.98, "", va="top")

        def show(number: int) -> None:
            frame = motion.frames[number]
            heading.set_text(motion.titles[number])
            for label, mark in marks.items():
                mark._offsets3d = tuple(frame[names == label].T)
            if motion.trail:
                trail.set_data_3d(*frame[~np.isnan(frame[:, 0])][-motion.trail :].T)

        plain = gallery.take(name)
        with atomic_file(gallery.folder / f"{plain}.gif") as temporary:
            _write_gif(figure, show, len(motion.frames), list(shades.values()), temporary)
        figures.save(figure, gallery.folder / f"{plain}.png", data, pdf=True)


def _write_gif(figure: Figure, show: Callable[[int], None], frames: int, shades: Sequence[str], path: Path) -> None:
    """Draws frame by frame, all in one palette.

    Matplotlib's own writers leave each frame to choose its 256 colours, and labels then change colour as they go.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(90)
    canvas: Any = FigureCanvasAgg(figure)
    palette, images = Image.new("P", (1, 1)), []
    palette.putpalette(_palette(shades))
    for number in range(frames):
        show(number)
        canvas.draw()
        drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        images.append(drawn.quantize(palette=palette, dither=Image.Dither.NONE))
    images[0].save(path, format="GIF", save_all=True, append_images=images[1:], duration=125, loop=0)


def _palette(shades: Sequence[str]) -> list[int]:
    """Red, green and blue of 256 colours: each shade in steps towards white, and greys."""
    distinct = list(dict.fromkeys(shades))
    steps = min(6, 192 // len(distinct))
    inks = np.array([rgb(shade) for shade in distinct], dtype=np.float64)
    tints = [inks + (255 - inks) * step / steps for step in range(steps)]
    greys = np.linspace(0, 255, 256 - steps * len(distinct))[:, None].repeat(3, axis=1)
    return [int(value) for value in np.concatenate([*tints, greys]).round().ravel()]


def _space(axis: str, ends: NDArray[np.float64]) -> tuple[Figure, Any]:
    """An empty figure with axes of three dimensions."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 6.0), layout="constrained")
    axes: Any = figure.add_subplot(projection="3d")
    axes.set_box_aspect(None, zoom=1.0)
    axes.set(xlabel=f"{axis} 1", ylabel=f"{axis} 2", zlabel=f"{axis} 3", xlim=ends[:, 0], ylim=ends[:, 1],
             zlim=ends[:, 2])  # fmt: skip
    axes.tick_params(labelsize=6, pad=0)
    axes.view_init(elev=22, azim=-60)
    return figure, axes


def _legend(figure: Figure, classes: Sequence[str]) -> None:
    """Below, in columns: at the side long names would leave no room for the map."""
    longest = max(map(len, classes))
    figure.legend(loc="outside lower center", ncols=max(1, min(4, 100 // (longest + 6))), markerscale=1.6)


def _ends(points: Floats) -> NDArray[np.float64]:
    """Least and greatest value of each axis [2, 3], one scale for all: distances are what a map is about."""
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    middle, half = (low + high) / 2, max(float((high - low).max()) / 2, 1e-9)
    return np.stack([middle - half, middle + half])


def _columns(points: Floats) -> dict[str, Any]:
    return {axis: points[:, number] for number, axis in enumerate("xyz"[: points.shape[1]])}
