"""`otolith release` and `publish`, as far as they go without a network; and what recognition does not wait for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.cli.test_classify import TIMED

from otolith.data.labels import VOCABULARY
from otolith.data.store import Dataset
from otolith.export import release
from otolith.models.model import Otolith


@pytest.fixture
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "PLACEMENTS", ("left wrist",))
    monkeypatch.setattr(release, "CARDS", {})
    monkeypatch.setattr(release, "VOCABULARY", dict(list(VOCABULARY.items())[:5]))


@pytest.mark.usefixtures("few_words")
def test_a_run_becomes_a_release_and_a_card(
    otolith: Command, run_folder: Path, spar_dataset: Dataset, csv: Path, tmp_path: Path
) -> None:
    done = otolith("release", run_folder, "-o", "gym.safetensors", "-d", spar_dataset.path)
    assert done.code == 0 and " MB" in done.out
    assert Otolith.from_pretrained("gym.safetensors").meta["hours"]["spar"] > 0.1
    assert otolith("classify", csv, "-m", "gym.safetensors", *TIMED, "--labels", "pendulum, walking").code == 0
    pytest.importorskip("huggingface_hub")
    assert otolith("publish", "gym.safetensors", "ann/gym", "--card", "card.md").code == 0
    card = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "(`spar`)" in card and "## Limits" in card and "otolith classify walk.csv --model ann/gym" in card


@pytest.mark.usefixtures("few_words")
def test_what_cannot_be_released(
    refused: Callable[..., str], checkpoint: Path, session_dataset: Path, run_folder: Path
) -> None:
    assert "must end in .safetensors" in refused("release", checkpoint, "-o", "gym.pt")
    assert "is not what the model was trained on" in refused(
        "release", checkpoint, "-o", "gym.safetensors", "-d", session_dataset
    )
    latest = run_folder / "latest.safetensors"
    assert "use best.safetensors beside it" in refused("release", latest, "-o", "gym.safetensors")
    said = refused("publish", checkpoint, "ann/gym", "--card", "card.md", "--results", "none.csv")
    assert "there is no results file at none.csv" in said


def test_recognition_of_a_table_waits_for_torch_alone(csv: Path) -> None:
    """pandas and scipy.signal would take as long to import as an hour takes to be recognised by a student."""
    arguments = ["otolith", "classify", str(csv), *TIMED, "--labels", "walking, lying", "--json"]
    slow = {"pandas", "scipy", "sklearn", "matplotlib", "lightning_fabric"}
    code = (
        f"import sys\nsys.argv = {arguments}\nfrom otolith.cli.main import main\ntry:\n    main()\nfinally:\n"
        f"    print(sorted({slow} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
