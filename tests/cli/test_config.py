from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from otolith.config import build, override, read_yaml
from otolith.data.loader import LoaderConfig
from otolith.data.views import ChannelView
from otolith.models.encoder import SIZES
from otolith.train.align import AlignConfig
from otolith.train.engine import EngineConfig
from otolith.train.pretrain import PretrainConfig
from otolith.train.run import Run
from otolith.train.sources import SourceConfig
from otolith.types import ConfigError

DATA: dict[str, Any] = {"datasets": ["somewhere"]}
SOURCE = SourceConfig(("a", "b"), val=("s1", "s2"), test=0.0, labels=("walking",), exclude=("running",), split_seed=3)
VIEW = ChannelView(("acc",), ("left wrist",), gravity=None)
LOADER = LoaderConfig(window_seconds=8.0, patch_seconds=(1.0, 0.5), view=VIEW, workers=2)


@pytest.mark.parametrize(
    "config",
    [
        PretrainConfig(SourceConfig(("somewhere",))),
        AlignConfig(SourceConfig(("somewhere",))),
        PretrainConfig(SOURCE, 7, loader=LOADER, model=SIZES["tiny"], train=EngineConfig(steps=3, compile=True)),
        AlignConfig(SOURCE, 7, loader=LOADER, parent="parent.safetensors", model=SIZES["small"]),
    ],
)
def test_the_file_of_a_run_reads_back_as_the_same_configuration(config: Any, tmp_path: Path) -> None:
    text = Run(tmp_path, asdict(config), resume=False)._config
    (tmp_path / "config.yaml").write_text(text)
    assert build(type(config), read_yaml(tmp_path / "config.yaml")) == config
    assert yaml.safe_load(text) == json.loads(json.dumps(asdict(config)))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"trian": {}}, "unknown key 'trian' in the configuration: did you mean 'train'?"),
        ({"train": {"stpes": 3}}, "unknown key 'train.stpes' in the configuration: did you mean 'steps'?"),
        ({"loader": {"view": {"qqq": 1}}}, "'loader.view.qqq' in the configuration: keys are sensors, placements"),
        ({"train": {"steps": "many"}}, "'train.steps' must be int, not 'many'"),
        ({"train": {"steps": 1.5}}, "'train.steps' must be int, not 1.5"),
        ({"train": {"steps": True}}, "'train.steps' must be int, not True"),
        ({"train": {"compile": 1}}, "'train.compile' must be bool, not 1"),
        ({"train": {"clip": "one"}}, "'train.clip' must be float, not 'one'"),
        ({"train": {"clip": True}}, "'train.clip' must be float, not True"),
        ({"train": {"clip": math.nan}}, "'train.clip' must be float, not nan"),
        ({"train": {"clip": 10**400}}, "'train.clip' must be float, not 1000"),
        ({"train": {"learning_rate": "1e999"}}, "'train.learning_rate' must be float, not '1e999'"),
        ({"data": {"datasets": ["a"], "split_seed": -1}}, "data.split_seed must be 0 or more, not -1"),
        ({"seed": -1}, "seed must be 0 or more and below 2^63, not -1"),
        ({"seed": 2**63}, "seed must be 0 or more and below 2^63, not 9223372036854775808"),
        ({"model": {"heads": 0}}, "model.heads must be at least 1, not 0"),
        ({"model": {"dim": 0}}, "model.dim must be at least 1, not 0"),
        ({"model": {"blocks": 0}}, "model.blocks must be at least 1, not 0"),
        ({"model": {"ffn_ratio": -1}}, "model.ffn_ratio must be at least 1, not -1"),
        ({"model": {"text_dim": 128}}, "unknown key 'model.text_dim'"),
        ({"loader": {"workers": -1}}, "loader.workers must be 0 or more, not -1"),
        ({"train": {"threads": -1}}, "train.threads must be 0 or more, not -1"),
        ({"mask": {"ratio": 1.5}}, "a mask ratio of 1.5 cannot be used"),
        ({"mask": {"span": 0}}, "a mask span of 0 patches cannot be used"),
        ({"train": 3}, "'train' must hold keys and values, not 3"),
        ({"loader": {"patch_seconds": ["a"]}}, "'loader.patch_seconds' must be float, not 'a'"),
        ({"loader": {"view": {"gravity": "yes"}}}, "'loader.view.gravity' must be bool or NoneType, not 'yes'"),
        ({"train": {"steps": 0}}, "train.steps must be at least 1, not 0"),
        ({"model": {"dim": 30, "heads": 4}}, "model.dim 30 must be a multiple"),
    ],
)
def test_mistakes_name_the_key_and_what_belongs_there(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(PretrainConfig, {"data": DATA, **values})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("bank", "said"), [({"heads": 7}, "bank.heads 7 must divide 384"), ({"dim": 256}, "unknown key 'bank.dim'")]
)
def test_settings_of_the_label_bank(bank: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(AlignConfig, {"data": DATA, "bank": bank})
    assert said in str(caught.value)


def test_a_missing_value_is_named() -> None:
    with pytest.raises(ConfigError, match="lacks a value under 'the top'.*'data'"):
        build(AlignConfig, {})


def test_numbers_tuples_and_unions() -> None:
    built = build(SourceConfig, {"datasets": "one", "val": 1, "test": ["s1", "s2"]})
    assert built == SourceConfig(("one",), val=1.0, test=("s1", "s2"))
    assert isinstance(built.val, float)
    assert build(SourceConfig, {"datasets": ["a"], "val": "s1"}).val == ("s1",)
    assert build(SourceConfig, {"datasets": ["a"], "val": "1"}).val == ("1",)  # a person's name, in quotes


def test_assignments_win_over_what_is_there() -> None:
    values = override(
        {"train": {"steps": 5, "clip": 1.0}}, ["train.steps=7", "data.val=[a, b]", "loader.view.gravity="]
    )
    assert values == {
        "train": {"steps": 7, "clip": 1.0},
        "data": {"val": ["a", "b"]},
        "loader": {"view": {"gravity": None}},
    }
    config = build(PretrainConfig, override({"data": DATA}, ["train.learning_rate=1e-4", "loader.patch_seconds=2"]))
    assert config.loader == replace(LoaderConfig(), patch_seconds=(2.0,)) and config.train.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("train.steps", "write key=value"),
        ("train.steps=[1", "'[1' is not a YAML value"),
        ("seed.deep=1", "'seed' holds a value, not keys"),
    ],
)
def test_assignments_that_cannot_be_read(assignment: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override({"seed": 1}, [assignment])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read the configuration"),
        (b"\xff\xfe\x00", "cannot read the configuration"),
        (b"train: [1", "is not valid YAML"),
        (b"- 1\n- 2\n", "must hold keys and values"),
        (b"", "must hold keys and values"),
        (b"train: 3\n", "'train' must hold keys and values"),
        (b"data: 3\n", "'data' must hold keys and values"),
        (b"data: [a]\n", "'data' must hold keys and values"),
        (b"data: {datasets: [a]}\nmodle: {}\n", "did you mean 'model'?"),
        (b"!!python/object/apply:os.system ['touch owned']\n", "is not valid YAML"),
    ],
)
def test_files_that_are_no_configuration(
    refused: Callable[..., str], tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "run.yaml"
    if content is not None:
        file.write_bytes(content)
    assert said in refused("pretrain", "-o", "run", "-c", file, "-d", "nowhere", "--steps", 3)
