"""Otolith: from raw recordings of wearable motion sensors to activities named in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from otolith.data.recording import Recording
    from otolith.data.store import Dataset
    from otolith.export.card import push_to_hub
    from otolith.models.model import Otolith
    from otolith.models.registry import load_model
    from otolith.recognise.classifier import ActivityClassifier

# Public names are resolved on first use, so that `import otolith` costs no torch.
_PUBLIC = {
    "ActivityClassifier": "otolith.recognise.classifier",
    "Dataset": "otolith.data.store",
    "Otolith": "otolith.models.model",
    "Recording": "otolith.data.recording",
    "load_model": "otolith.models.registry",
    "push_to_hub": "otolith.export.card",
}

__all__ = ["ActivityClassifier", "Dataset", "Otolith", "Recording", "__version__", "load_model", "push_to_hub"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        from importlib import import_module

        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'otolith' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
