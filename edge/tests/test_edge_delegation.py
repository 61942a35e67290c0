"""`otolith stream` of the main package, where that is installed."""

from __future__ import annotations

import sys

import pytest

main = pytest.importorskip("otolith.cli.main", exc_type=ImportError)


def said(arguments: list[str], monkeypatch, capsys) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["otolith", *arguments])
    with pytest.raises(SystemExit) as stop:
        main.main()
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


def test_a_stream_is_handed_over(write, steps, csv, monkeypatch, capsys) -> None:
    arguments = ["stream", "--speed", "0", "--replay", str(csv(steps(20))), "-m", str(write())]
    code, out, err = said(arguments, monkeypatch, capsys)
    assert (code, err) == (0, "") and " up " in out


def test_help_and_errors_are_the_runtimes(monkeypatch, capsys, tmp_path) -> None:
    code, out, _ = said(["stream", "--help"], monkeypatch, capsys)
    assert code == 0 and "--udp" in out
    code, _, err = said(["stream", "-m", str(tmp_path / "none.onnx")], monkeypatch, capsys)
    assert code == 2 and err.startswith("otolith-edge: there is no model")


def test_one_sentence_where_the_runtime_is_missing(monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "otolith_edge.cli", None)
    code, out, err = said(["stream"], monkeypatch, capsys)
    assert (code, out) == (2, "") and "pip install otolith-edge" in err and err.count("\n") == 1
