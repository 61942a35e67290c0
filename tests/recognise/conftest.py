"""A tiny model as training would leave it, without the training."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch

from otolith.data.loader import LoaderConfig
from otolith.models.encoder import SIZES
from otolith.models.model import Otolith
from otolith.recognise.recogniser import Recogniser


@pytest.fixture(scope="session")
def model() -> Otolith:
    torch.manual_seed(0)
    return Otolith(SIZES["tiny"], meta={"stage": "align", "loader": asdict(LoaderConfig())}).eval()


@pytest.fixture(scope="session")
def recogniser(model: Otolith) -> Recogniser:
    return Recogniser(model)
