"""Otolith on the device: exported models on recordings and live streams, with numpy and a small runtime alone."""

from __future__ import annotations

from otolith_edge.beliefs import Beliefs
from otolith_edge.errors import EdgeError, MissingExtraError, ModelError
from otolith_edge.events import UNKNOWN, Activity, Event, Fault, Segment, Window, as_dict
from otolith_edge.model import Model
from otolith_edge.recognition import Recognition, recognise, recognise_trial
from otolith_edge.settings import Settings
from otolith_edge.stream import Stream
from otolith_edge.units import Units
from otolith_edge.vocabulary import Vocabulary

__version__ = "0.1.0"

__all__ = [
    "UNKNOWN",
    "Activity",
    "Beliefs",
    "EdgeError",
    "Event",
    "Fault",
    "MissingExtraError",
    "Model",
    "ModelError",
    "Recognition",
    "Segment",
    "Settings",
    "Stream",
    "Units",
    "Vocabulary",
    "Window",
    "as_dict",
    "recognise",
    "recognise_trial",
]
