"""Figures and arrays of explanations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save

from otolith.data.segments import Segments
from otolith.evaluate.comparison_figures import row_dots
from otolith.evaluate.explanation_figures import randomisation_steps, removal_curves, rollout_matrices, signal_map
from otolith.evaluate.results import Row
from otolith.evaluate.signals import Trace
from otolith.evaluate.study_figures import Gallery
from otolith.evaluate.summary import Value
from otolith.explain.faithfulness import shares
from otolith.explain.methods import SIGNED
from otolith.explain.run import Explained, Settings
from otolith.files import atomic_file
from otolith.models.classifier import EncoderClassifier
from otolith.models.registry import model_name
from otolith.models.saved import Saved

_KEY = "otolith-explanation"
_VERSION = 1


def write(
    folder: Path,
    found: Explained,
    rows: Sequence[Row],
    segments: Segments,
    model: Saved,
    labels: Sequence[str],
    settings: Settings,
    draw: int,
) -> int:
    """Writes `figures/` (PNG, PDF and data), `signal.safetensors` and `<method>.safetensors`; how many figures."""
    gallery = Gallery(folder / "figures")
    _arrays(folder, found, segments, model, labels, settings)
    _maps(gallery, found, segments, labels, draw)
    _layers(gallery, found, model)
    _curves(gallery, found)
    _classes(gallery, rows)
    return len(gallery.saved)


def _arrays(
    folder: Path, found: Explained, segments: Segments, model: Saved, labels: Sequence[str], settings: Settings
) -> None:
    about = {
        "version": _VERSION, "model": model_name(model), "weights_sha256": model.fingerprint(),
        "dataset": segments.indexes[0].dataset.name, "baseline": settings.baseline, "seed": settings.seed,
        "labels": list(labels), "true": segments.text_labels.tolist(), "subjects": segments.subjects.tolist(),
        "channels": [channel.name for channel in segments.channels],
        "references": [channel.reference for channel in segments.channels],
        "units": [channel.unit for channel in segments.channels],
    }  # fmt: skip
    parts = {"signal": {"signal": found.signal, "mask": found.mask, "time_s": found.time, "target": found.target,
                        "belief": found.belief}}  # fmt: skip
    for name, one in found.found.items():
        parts[name] = {"map": one.explanation.map, "score": one.explanation.score, **one.explanation.details}
        parts[name] |= vars(one.curves)
    for name, tensors in parts.items():
        header = {_KEY: json.dumps({**about, "method": name}, sort_keys=True)}
        plain = {key: value.detach().contiguous() for key, value in tensors.items()}
        with atomic_file(folder / f"{name}.safetensors") as temporary:
            temporary.write_bytes(save(plain, header))


def _maps(gallery: Gallery, found: Explained, segments: Segments, labels: Sequence[str], draw: int) -> None:
    traces = [Trace(channel.name, channel.unit) for channel in segments.channels]
    references = np.array([channel.reference for channel in segments.channels])
    drawn = np.unique(np.linspace(0, len(found.target) - 1, draw).round().astype(int))
    for row in map(int, drawn):
        mask = found.mask[row]
        time = found.time[row][mask].flatten().numpy()
        signal = found.signal[row][mask].flatten(0, 1).numpy() * references
        answer, true = labels[int(found.target[row])], str(segments.text_labels[row])
        right = "right" if answer == true else f"in truth '{true}'" if true else "no label"
        for name, one in found.found.items():
            weight = one.explanation.map[row][mask].flatten(0, 1).numpy()
            belief = float(found.belief[row])
            title = f"{name}: answer '{answer}' at {belief:.2f}, {right}; person {segments.subjects[row]}"
            figure = signal_map(time, signal, weight, traces, title, signed=name in SIGNED)
            data = {"time_s": time, "signal": signal, "importance": weight, "channels": [t.name for t in traces]}
            gallery.add(f"map-{row:04d}-{answer}-{name}", figure, data)


def _layers(gallery: Gallery, found: Explained, model: Saved) -> None:
    """Rollout up to each layer, mean over segments in which all patches are there."""
    full = found.mask.all(1)
    if "rollout" not in found.found or not bool(full.any()):
        return
    mean = found.found["rollout"].explanation.details["layers"][full].mean(0).numpy()
    patches = found.mask.shape[1]
    if isinstance(model, EncoderClassifier):
        channels = mean.shape[-1] // patches
        tokens = [f"{p + 1}/{c + 1}" for p in range(patches) for c in range(channels)]
        names = [f"block {i // 2 + 1}, {'channels' if i % 2 else 'time'}" for i in range(len(mean))]
    else:
        others = mean.shape[-1] - patches - 1
        tokens = ["class", *(f"{p + 1}" for p in range(patches)), *(f"body {i + 1}" for i in range(others))]
        names = [f"layer {i + 1}" for i in range(len(mean))]
    gallery.add("rollout-layers", rollout_matrices(mean, names, tokens), {"matrices": mean, "tokens": tokens})


def _curves(gallery: Gallery, found: Explained) -> None:
    for name, one in found.found.items():
        mine, x = one.curves, shares().numpy()
        pairs = {
            name: (mine.deletion.numpy(), mine.insertion.numpy()),
            "random orders": (mine.random_deletion.numpy(), mine.random_insertion.numpy()),
        }
        data = {"share": x}
        for who, (deletion, insertion) in pairs.items():
            data |= {f"deletion, {who}": deletion.mean(0), f"insertion, {who}": insertion.mean(0)}
        gallery.add(f"removal-{name}", removal_curves(x, pairs), data)
    parts = {name: {p: float(v.mean()) for p, (v, _) in one.correlation.items()} for name, one in found.found.items()}
    table = {"method": [m for m, mine in parts.items() for _ in mine], "part": [p for m in parts.values() for p in m],
             "rank_correlation": [v for mine in parts.values() for v in mine.values()]}  # fmt: skip
    gallery.add("randomisation", randomisation_steps(parts), table)


def _classes(gallery: Gallery, rows: Sequence[Row]) -> None:
    """What rows say of each class."""
    for name in dict.fromkeys(row.protocol for row in rows):
        of_classes = {row.metric: row.value for row in rows if row.protocol == name and "/" in row.metric}
        for title, kinds, label in _CLASS_FIGURES:
            values = {said: _values(of_classes, metric) for said, metric in kinds.items()}
            if not all(values.values()):
                continue
            data = {"class": list(next(iter(values.values())))}
            gallery.add(
                f"{title}-{name.removeprefix('explain-')}",
                row_dots(values, label),
                data | {said: [value.mean for value in mine.values()] for said, mine in values.items()},
            )


_CLASS_FIGURES: tuple[tuple[str, Mapping[str, str], str], ...] = (
    ("classes", {"deletion": "deletion_auc_gain", "insertion": "insertion_auc_gain"}, "area won over random orders"),
    (
        "similarity",
        {"same segment": "attention_similarity", "another activity": "attention_similarity_mismatched"},
        "cosine between the attention of student and teacher, last layer",
    ),
    (
        "similarity-rollout",
        {"same segment": "rollout_similarity", "another activity": "rollout_similarity_mismatched"},
        "cosine between the rollouts of student and teacher",
    ),
)


def _values(of_classes: Mapping[str, float], metric: str) -> dict[str, Value]:
    """Mean of each class, with the spread over its segments where it was measured."""
    found: dict[str, Any] = {}
    for key, value in of_classes.items():
        if key.startswith(f"{metric}/"):
            spread = of_classes.get(f"{metric}_std/{key.removeprefix(f'{metric}/')}", 0.0)
            found[key.removeprefix(f"{metric}/")] = Value(value, value - spread, value + spread)
    return found
