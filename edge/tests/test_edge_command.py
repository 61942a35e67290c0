"""The command: recordings, replays, standard input, UDP, a serial port, and what it refuses."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from otolith_edge import Model, Settings, Stream, Window
from otolith_edge.cli import main
from otolith_edge.events import Activity
from otolith_edge.lines import LineParser
from otolith_edge.session import measured_rate
from otolith_edge.sources import LineBuffer, descriptor_lines
from otolith_edge.view import Live, picture


def spoken(text: str, kind: str) -> list[dict]:
    return [event for event in map(json.loads, text.splitlines()) if event["event"] == kind]


def test_the_timeline_of_a_recording(write, steps, csv, capsys) -> None:
    main(["run", str(csv(steps(20, 10))), "-m", str(write())])
    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines()]
    assert [row[4] for row in rows] == ["up", "down"] and rows[0][2] == rows[1][0]
    assert [float(row[0]) for row in rows] == pytest.approx([0, 20], abs=0.51) and rows[1][2] == "30.00"
    assert err == ""


def test_json_lines(write, steps, csv, capsys) -> None:
    signal = np.delete(steps(20, 10), np.s_[500:600], axis=0)
    path = csv(signal)
    lines = path.read_text().splitlines()
    times = np.delete(np.arange(1500), np.s_[500:600]) / 50
    path.write_text(
        "\n".join([lines[0], *(f"{t},{x.partition(',')[2]}" for t, x in zip(times, lines[1:], strict=True))])
    )
    main(["run", str(path), "-m", str(write()), "--json"])
    out = capsys.readouterr().out
    assert [s["label"] for s in spoken(out, "segment")] == ["up", "up", "down"]
    assert set(spoken(out, "window")[0]["probabilities"]) == {"up", "down"}
    assert {f["kind"]: f["count"] for f in spoken(out, "fault")} == {"lost": 100, "gap": 1}
    assert spoken(out, "end") == [{"event": "end", "received": 1400, "used": 1400, "faults": {"lost": 100, "gap": 1}}]


def test_a_replay_says_what_the_run_says(write, steps, csv, capsys) -> None:
    arguments = [str(csv(steps(20, 10))), "-m", str(write()), "--json"]
    main(["run", *arguments])
    whole = capsys.readouterr().out
    main(["stream", "--speed", "0", "--replay", *arguments])
    assert spoken(capsys.readouterr().out, "segment") == spoken(whole, "segment")


def test_a_replay_does_not_wait_for_a_clock_that_was_set(write, steps, csv) -> None:
    path = csv(steps(4))
    lines = path.read_text().splitlines()
    moved = [f"{3600 + k / 50},{line.partition(',')[2]}" for k, line in enumerate(lines[101:])]
    path.write_text("\n".join([*lines[:101], *moved]))
    began = time.monotonic()
    main(["stream", "--speed", "20", "--replay", str(path), "-m", str(write())])
    assert time.monotonic() - began < 5


def test_a_replay_keeps_time(write, steps, csv) -> None:
    path, began = str(csv(steps(6))), time.monotonic()
    main(["stream", "--speed", "10", "--replay", path, "-m", str(write())])
    assert 0.55 < time.monotonic() - began < 3


def test_standard_input(write, steps, csv) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "otolith_edge", "stream", "-m", str(write()), "--json"],
        input=csv(steps(20)).read_text(), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert [s["label"] for s in spoken(run.stdout, "segment")] == ["up"] and run.stderr == ""


def udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_datagrams(write, steps, csv, capsys) -> None:
    port, lines = udp_port(), csv(steps(20)).read_text().splitlines(keepends=True)[1:]

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for first in range(0, len(lines), 25):
                sender.sendto("".join(lines[first : first + 25]).encode(), ("127.0.0.1", port))
                time.sleep(0.005)
            sender.sendto(b"\xff\x00 nonsense\n", ("127.0.0.1", port))

    timer = threading.Timer(0.3, send)
    timer.start()
    main(["stream", "--udp", str(port), "--idle", "1", "-m", str(write()), "--json"])
    timer.join()
    out = capsys.readouterr().out
    assert [s["label"] for s in spoken(out, "segment")] == ["up"]
    assert spoken(out, "end")[0]["faults"] == {"malformed": 1}
    assert spoken(out, "end")[0]["received"] == 1000


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_serial_port(write, steps, csv, capsys) -> None:
    pytest.importorskip("serial")
    device, port = os.openpty()
    data = csv(steps(8)).read_bytes().split(b"\n", 1)[1]

    def send() -> None:
        for first in range(0, len(data), 500):
            os.write(device, data[first : first + 500])

    timer = threading.Timer(0.3, send)
    timer.start()
    main(["stream", "--serial", os.ttyname(port), "--idle", "1", "-m", str(write()), "--json"])
    timer.join()
    assert spoken(capsys.readouterr().out, "end")[0] == {"event": "end", "received": 400, "used": 400, "faults": {}}


def test_a_serial_port_needs_an_extra(write, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    assert refused(["stream", "--serial", "/dev/none", "-m", str(write())], capsys).endswith(
        "pip install 'otolith-edge[serial]'\n"
    )


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("otolith-edge: ") and err.count("\n") == 1
    return err


def test_what_is_refused(write, steps, csv, tmp_path: Path, capsys) -> None:
    path, model = str(csv(steps(5))), str(write())
    assert "no model" in refused(["run", path, "-m", str(tmp_path / "none.onnx")], capsys)
    assert "cannot read" in refused(["run", str(tmp_path / "none.csv"), "-m", model], capsys)
    assert "no column 'b'" in refused(["run", path, "-m", model, "--columns", "time,b,c,d,e,f,g"], capsys)
    assert "2 columns are named" in refused(["run", path, "-m", model, "--columns", "a,b"], capsys)
    assert "did you mean" in refused(["run", path, "-m", model, "--acc-unit", "gs"], capsys)
    assert "check the unit of the times" in refused(["run", path, "-m", model, "--time-unit", "us"], capsys)
    assert "between windows of 2 s" in refused(["run", path, "-m", model, "--step", "3"], capsys)
    assert "from 0 to 30 seconds" in refused(["run", path, "-m", model, "--tolerance", "nan"], capsys)
    assert "--threads 0" in refused(["run", path, "-m", model, "--threads", "0"], capsys)
    assert "--speed -1" in refused(["stream", "--replay", path, "--speed", "-1", "-m", model], capsys)
    assert "is no address" in refused(["stream", "--udp", "here", "-m", model], capsys)
    empty = tmp_path / "empty.csv"
    empty.write_text("time,acc_x\n")
    assert "no column 'acc_y'" in refused(["run", str(empty), "-m", model], capsys)
    empty.write_text("")
    assert "no sample" in refused(["run", str(empty), "-m", model], capsys)
    empty.write_text("1,2,3\n")
    assert "a line has 3 numbers" in refused(["run", str(empty), "-m", model], capsys)


def test_columns_by_name_in_any_order(model: Model) -> None:
    parser = LineParser(model.description.channels)
    times, values = parser.parse(["gyro_z;GYRO_Y;gyro_x;note;acc_z;acc_y;acc_x;Timestamp\n", "6;5;4;9;3;;1;0.5\n"])
    assert times.tolist() == [0.5]
    assert np.array_equal(values, [[1, np.nan, 3, 4, 5, 6]], equal_nan=True)


def test_lines_that_are_no_sample(model: Model) -> None:
    parser = LineParser(model.description.channels)
    good = "0.02 1 2 3 4 5 6"
    times, _ = parser.parse(
        [good, "0.04 1 2 3", "x 1 2 3 4 5 6", "", "# remark", good.replace("2", "two", 1), "nan 1 2 3 4 5 6"]
    )
    assert len(times) == 2 and parser.malformed == 3 and np.isnan(times[1])


def test_samples_without_times(model: Model) -> None:
    parser = LineParser(model.description.channels, interval=0.02)
    assert parser.parse(["1,2,3,4,5,6"] * 3)[0].tolist() == [0, 0.02, 0.04]


def test_a_line_without_end_is_bounded() -> None:
    buffer = LineBuffer()
    for _ in range(100):
        lines = buffer.push(b"x" * 10_000)
        assert len(buffer._rest) <= 65_536 and all(len(line) <= 65_536 for line in lines)
    assert LineBuffer().push(b"a\nb\nc") == ["a", "b"]


def test_lines_arrive_when_they_are_written() -> None:
    reader, writer = os.pipe()
    lines = descriptor_lines(reader)
    assert next(lines) == []  # nothing for a moment
    os.write(writer, b"1,2\n3")
    assert next(lines) == ["1,2"]
    os.close(writer)
    assert [*lines] == [["3"]]
    os.close(reader)


def test_the_rate_is_measured() -> None:
    rng = np.random.default_rng(0)
    times = np.delete(np.arange(200) / 49.6, [5, 17, 18]) + rng.uniform(-1e-4, 1e-4, 197)
    assert measured_rate(times, 50.0) == 50.0
    assert measured_rate(times[::-1], 100.0) == pytest.approx(49.6, rel=0.01)


def test_the_live_picture(model: Model, steps) -> None:
    stream = Stream(model, 50.0, settings=Settings())
    signal = steps(20)
    events = stream.push(np.delete(np.arange(1000) / 50, 500), np.delete(signal, 500, axis=0))
    window = next(event for event in events if isinstance(event, Window))
    lines = picture(stream, window, Activity(1.0, "up\x1b[2J", 0.9), 50.0)
    text = "\n".join(lines)
    assert "up?[2J since 1.0 s" in text and "█" in text and "lost 1" in text and "\x1b" not in text
    assert picture(None, None, None, 0.0) == ["waiting for samples"]


def test_the_live_picture_is_drawn_in_place(model: Model, steps) -> None:
    out = io.StringIO()
    view, stream = Live(out), Stream(model, 50.0)
    view.show(stream.push(np.arange(1000) / 50, steps(20)), stream)
    view._drawn -= 1
    view.show([], stream)
    once = out.getvalue().count("\n")
    view.close(stream)
    assert f"\x1b[{once}A" in out.getvalue()


def test_an_interrupt_ends_a_stream_well(write, steps, csv, monkeypatch, capsys) -> None:
    def interrupted(path: Path, count: int) -> Callable[..., None]:
        yield path.read_text().splitlines()
        raise KeyboardInterrupt

    monkeypatch.setattr("otolith_edge.cli.file_lines", interrupted)
    main(["stream", "--speed", "0", "--replay", str(csv(steps(20))), "-m", str(write()), "--json"])
    assert len(spoken(capsys.readouterr().out, "segment")) == 1
