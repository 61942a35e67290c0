"""Runs one input of the fuzz again, alone, and leaves it there to be looked at.

A failing input is named by its target and its number, from which everything else about it is drawn:

    cd tests && ../.venv/bin/python -m fuzz shimmer 14

prints what was damaged and how it ended, with the traceback if there was one, and says in which folder the damaged
input lies (`in/`) and what was made of it (`out/`). Without a number all inputs of the target up to 300 are run, and
without a target 10,000 over all of them, as in `make test-slow`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from fuzz.running import Outcome, Target, prepare, report, run_apart, run_one, spread
from fuzz.targets import discover

INPUTS = 10_000
OF_ONE = 300


def again(target: Target, number: int, place: Path) -> Outcome:
    """Runs one input in `place`, where it stays."""
    sound = prepare([target], place)[target.name]
    (place / "run").mkdir()
    return run_one((target.name, number), target, sound, place / "run")


def main(arguments: list[str]) -> int:
    """Runs what the arguments say; 1 if something failed."""
    found = {target.name: target for target in discover()}
    if len(arguments) == 2:
        place = Path(tempfile.mkdtemp(prefix="otolith-fuzz-"))
        outcome = again(found[arguments[0]], int(arguments[1]), place)
        print(f"{outcome}\n  in {place / 'run'}")
        return outcome.ended == "failed"
    inputs = spread(OF_ONE, arguments) if arguments else spread(INPUTS, list(found))
    with tempfile.TemporaryDirectory(prefix="otolith-fuzz-") as place:
        outcomes = run_apart(inputs, Path(place))
    print("\n".join([*(str(one) for one in outcomes if one.ended == "failed"), report(outcomes)]))
    return any(outcome.ended == "failed" for outcome in outcomes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
