"""A model on the hub: the card says what the checkpoint says, and only safetensors and the card go up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from otolith.evaluate.results import Provenance, rows
from otolith.export import release
from otolith.export.card import model_card, push_to_hub
from otolith.models.encoder import SIZES
from otolith.models.model import Otolith
from otolith.types import DataError

hub = pytest.importorskip("huggingface_hub")

META = {
    "stage": "pretrain",
    "step": 7,
    "labels": ["walking", "sitting"],
    "loader": {"window_seconds": 4.0, "view": {"sensors": ["acc"], "placements": [], "gravity": True}},
    "history": {"hapt": {"train": ["user01", "user02"], "val": ["user03"], "tuned": []}},
    "hours": {"hapt": 1.25},
}


@pytest.fixture(autouse=True)
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "PLACEMENTS", ("waist",))
    monkeypatch.setattr(release, "CARDS", {})


@pytest.fixture
def model() -> Otolith:
    return Otolith(SIZES["tiny"], meta=META).eval()


def measured(dataset: str, protocol: str, name: str = "otolith-tiny") -> pd.DataFrame:
    scores = {"accuracy": 0.9, "macro_f1": 0.5, "macro_f1_low": 0.41, "macro_f1_high": 0.59}
    found = rows(
        scores, model=name, dataset=dataset, protocol=protocol, n=70, provenance=Provenance("c" * 40, "f", "d")
    )
    return pd.DataFrame([vars(row) for row in found])


def test_card_says_what_the_checkpoint_says(model: Otolith) -> None:
    results = pd.concat([measured("motionsense", "zero-shot-closed"), measured("hapt", "leave-one-dataset-out")])
    card = model_card(model, "ann/gym", 1_500_000, results)
    assert card.startswith("---\n") and "license: apache-2.0" in card
    assert "| 2 | 1 | 1.25 | CC BY 4.0" in card and "prohibits commercial use" in card
    assert "0.500 | 0.410 to 0.590 (95 % over people) | 70 |" in card and "`cccccccccccc`" in card
    assert "leave-one-dataset-out" not in card  # which are other weights
    assert "accelerometer (acceleration with gravity), in windows of 4.0 s" in card and "not for medical use" in card
    assert "1.5 MB" in card and 'load_model("ann/gym")' in card
    with pytest.raises(DataError, match="no macro_f1 of 'otolith-tiny'"):
        model_card(model, "ann/gym", 1, measured("motionsense", "zero-shot-closed", "otolith-small"))


def test_only_safetensors_and_card_go_up(model: Otolith, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sent: dict[str, bytes] = {}

    class Api:
        def __init__(self, **_: object) -> None: ...

        def create_repo(self, name: str, *, private: bool, exist_ok: bool) -> str:
            assert (name, private, exist_ok) == ("ann/gym", True, True)
            return "https://hub/ann/gym"

        def upload_folder(self, *, repo_id: str, folder_path: str, commit_message: str) -> SimpleNamespace:
            sent.update({path.name: path.read_bytes() for path in Path(folder_path).iterdir()})
            return SimpleNamespace()

    monkeypatch.setattr(hub, "HfApi", Api)
    assert push_to_hub(model, "ann/gym", private=True) == "https://hub/ann/gym"
    assert sorted(sent) == ["README.md", "model.safetensors"]
    (tmp_path / "model.safetensors").write_bytes(sent["model.safetensors"])
    assert Otolith.from_pretrained(tmp_path).meta["hours"] == {"hapt": 1.25}

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr(Api, "create_repo", refuse)
    with pytest.raises(DataError, match=r"ann/gym cannot be uploaded \(no route to host\)"):
        push_to_hub(model, "ann/gym")
