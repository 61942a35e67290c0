"""Other people's models: built, filled with local weights, and asked; what cannot be is said in one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from otolith.models.foreign import FOREIGN, ForeignNetwork, ForeignSpec, load_foreign
from otolith.types import CheckpointError, ConfigError, DataError, OtolithError

FACTORY = "tiny_foreign:build"

MODULE = """
from types import SimpleNamespace
import torch
from torch import nn

class Tiny(nn.Module):
    def __init__(self, channels=3, kind="tensor"):
        super().__init__()
        self.kind, self.dropout = kind, nn.Dropout(0.5)
        self.linear = nn.Linear(channels * 8, 5)

    def forward(self, x):
        assert x.shape[2] == 8, x.shape
        y = self.dropout(self.linear(x.flatten(1)))
        return {"tensor": y, "object": SimpleNamespace(embeddings=y), "map": y[:, None], "number": 3.0}[self.kind]

def build(**arguments):
    return Tiny(**arguments)

def object_():
    return build(kind="object")

def map_():
    return build(kind="map")

def number():
    return build(kind="number")

def none():
    return None
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny_foreign.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "tiny_foreign", raising=False)


def weights(path: Path, channels: int = 3, **more: Tensor) -> Path:
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "linear.weight": torch.randn(5, channels * 8, generator=generator),
        "linear.bias": torch.randn(5, generator=generator),
    }
    save_file({**tensors, **more}, path)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return weights(tmp_path / "tiny.safetensors")


@pytest.mark.parametrize("factory", [FACTORY, "tiny_foreign:object_"])
def test_features_are_those_of_the_model_with_its_weights(factory: str, file: Path) -> None:
    net, windows = ForeignNetwork(factory, file, 8), torch.randn(4, 3, 8)
    stored = load_file(file)
    expected = windows.flatten(1) @ stored["linear.weight"].T + stored["linear.bias"]
    torch.testing.assert_close(net(windows), expected)


def test_windows_are_brought_to_its_length(file: Path) -> None:
    """A ramp stays a ramp: each sample in the middle of its share of the window."""
    net = ForeignNetwork(FACTORY, file, 8)
    ramp = ((torch.arange(24) + 0.5) / 24).expand(2, 3, 24)
    short = ((torch.arange(8) + 0.5) / 8).expand(2, 3, 8)
    torch.testing.assert_close(net(ramp), net(short))
    assert net(torch.randn(2, 3, 5)).shape == (2, 5)


def test_it_is_frozen_and_never_in_training(file: Path) -> None:
    net, windows = ForeignNetwork(FACTORY, file, 8), torch.randn(4, 3, 8, requires_grad=True)
    whole = nn.Sequential(net).train()
    assert not any(part.training for part in net.modules())
    assert not any(p.requires_grad for p in whole.parameters())
    assert torch.equal(net(windows), net(windows)) and not net(windows).requires_grad


def test_one_channel_at_a_time_joins_the_features(tmp_path: Path) -> None:
    spec = ForeignSpec(FACTORY, 8, {"channels": 1}, per_channel=True, keyword="x", ignored=("head.",))
    file = weights(tmp_path / "one.safetensors", channels=1, **{"head.weight": torch.zeros(2)})
    net, windows = ForeignNetwork(FACTORY, file, 8, spec=spec), torch.randn(4, 3, 8)
    feature = net(windows)
    assert feature.shape == (4, 15)
    for channel in range(3):
        torch.testing.assert_close(feature[:, 5 * channel : 5 * channel + 5], net(windows[:, channel : channel + 1]))


@pytest.mark.parametrize("suffix", ["pt", "pth", "bin", "ckpt"])
def test_a_pickle_is_never_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    with pytest.raises(
        CheckpointError, match=r"is a pickle.*convert it once with safetensors\.torch\.save_file"
    ) as why:
        ForeignNetwork(FACTORY, path, 8)
    assert "\n" not in str(why.value)


def test_weights_that_cannot_be_used_are_refused(tmp_path: Path, file: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there are no weights at .*none\.safetensors: download"):
        ForeignNetwork(FACTORY, tmp_path / "none.safetensors", 8)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match="is no whole safetensors file"):
        ForeignNetwork(FACTORY, broken, 8)
    for odd in (
        weights(tmp_path / "odd.safetensors", channels=4),
        weights(tmp_path / "x.safetensors", x=torch.ones(1)),
    ):
        with pytest.raises(CheckpointError, match="does not fit this model"):
            ForeignNetwork(FACTORY, odd, 8)


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        ("tiny_foreign", "a factory is named 'module:callable', not 'tiny_foreign'"),
        (":build", "a factory is named"),
        ("not_there_at_all.sub:build", "needs the package 'not_there_at_all', .*: pip install not_there_at_all"),
        ("tiny_foreign:absent", "the module 'tiny_foreign' has no 'absent'"),
        ("tiny_foreign:none", "builds a NoneType and no torch.nn.Module"),
    ],
)
def test_a_factory_that_cannot_be_used_is_refused(factory: str, sentence: str, file: Path) -> None:
    with pytest.raises(ConfigError, match=sentence):
        ForeignNetwork(factory, file, 8)


def test_inputs_and_answers_of_another_shape_are_refused(file: Path) -> None:
    with pytest.raises(DataError, match=r"windows \[B, C, W\], not \[3, 8\]"):
        ForeignNetwork(FACTORY, file, 8)(torch.zeros(3, 8))
    with pytest.raises(DataError, match=r"answers with a tensor \[2, 1, 5\], not with one vector a window"):
        ForeignNetwork("tiny_foreign:map_", file, 8)(torch.zeros(2, 3, 8))
    with pytest.raises(DataError, match="answers with a float"):
        ForeignNetwork("tiny_foreign:number", file, 8)(torch.zeros(2, 3, 8))
    with pytest.raises(ConfigError, match="1 sample or more"):
        ForeignNetwork(FACTORY, file, 0)


def test_published_models_are_known_and_need_their_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(FOREIGN) == {"mantis-8m", "moment-1-small"}
    file = weights(tmp_path / "any.safetensors")
    for name, module, package in (("mantis-8m", "mantis", "mantis-tsfm"), ("moment-1-small", "momentfm", "momentfm")):
        assert FOREIGN[name].samples == 512 and FOREIGN[name].per_channel
        for known in [k for k in sys.modules if k.split(".")[0] == module]:
            monkeypatch.delitem(sys.modules, known)
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(OtolithError, match=f"pip install {package}$"):
            load_foreign(name, file)
    with pytest.raises(ConfigError, match="no foreign model 'chronos': use mantis-8m, moment-1-small"):
        load_foreign("chronos", file)


def test_mantis_has_its_published_size() -> None:
    """8,103,936 parameters (huggingface.co/datasets/ancs21/mantis-repro-bundle)."""
    architecture = pytest.importorskip("mantis.architecture")
    net = architecture.Mantis8M(**FOREIGN["mantis-8m"].arguments)
    assert sum(p.numel() for p in net.parameters()) == 8_103_936
    assert net.eval()(torch.randn(2, 1, 512)).shape == (2, 256)
