from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_tables_of_the_readme_are_those_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process: another would import torch and the like anew, which takes longer than the tables."""
    script = ROOT / "tools" / "doc_tables.py"
    monkeypatch.syspath_prepend(script.parent)
    monkeypatch.setattr("sys.argv", [str(script), "--check"])
    runpy.run_path(str(script), run_name="__main__")
