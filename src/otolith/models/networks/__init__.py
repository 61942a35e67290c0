"""Baseline networks of the field, written anew from their papers: windows [B, W, C] in, features [B, width] out.

A linear head over classes is the caller's.
"""

from __future__ import annotations

from otolith.models.networks.cnn import Cnn
from otolith.models.networks.crosshar import CrossHar
from otolith.models.networks.deepconvlstm import DeepConvLstm
from otolith.models.networks.limu_bert import LimuBert
from otolith.models.networks.network import Network, Pretrainable
from otolith.models.networks.tinyhar import TinyHar
from otolith.models.networks.xtinyhar import XTinyHar

NETWORKS: dict[str, type[Network]] = {
    "cnn": Cnn,
    "deepconvlstm": DeepConvLstm,
    "tinyhar": TinyHar,
    "xtinyhar": XTinyHar,
    "limu-bert": LimuBert,
    "crosshar": CrossHar,
}
"""Each is built as `network(channels, samples)`."""

PRETRAINABLE: tuple[str, ...] = tuple(name for name, network in NETWORKS.items() if issubclass(network, Pretrainable))
"""Those that can learn without labels first."""

__all__ = ["NETWORKS", "PRETRAINABLE", "Network", "Pretrainable"]
