"""What `otolith bench` measured, as a table and as the one sentence of README.md."""

from __future__ import annotations

import pandas as pd

from otolith.evaluate.latency_rows import markdown
from otolith.export.modules import REFERENCES


def latency(results: pd.DataFrame) -> str:
    """The table that the command shows."""
    return markdown(results.astype(object).where(results.notna(), None).to_dict("records"))


def sentence(results: pd.DataFrame) -> str:
    """How many times as fast the student of UTD-MHAD is, by runtime, and what of it is the runtime's."""
    ratio = results.set_index(["model", "backend"])["latency_ratio"]
    student = next(model for model in results["model"] if model not in REFERENCES)
    by = {backend: f"{ratio[student, backend]:.1f}" for backend in ratio[student].index}
    return (
        "On one thread LiteRT gives an answer of the student of UTD-MHAD, at 8 bits (dynamic), "
        f"**{by['litert-int8-dynamic']} times as fast**\nas PyTorch one of XTinyHAR's student; ONNX Runtime "
        f"{by['onnx-int8-dynamic']} times, PyTorch {by['pytorch']} times, and XTinyHAR's itself through ONNX Runtime "
        f"{ratio['xtinyhar', 'onnx-fp32']:.1f} times.\nAll in turns in one run of `otolith bench`: [what an answer "
        "costs](docs/bench.md)."
    )
