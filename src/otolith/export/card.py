"""A model on the Hugging Face hub: its card, written from what its checkpoint says of itself, and the upload."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from otolith.data.channels import SENSORS
from otolith.data.registry import CARDS
from otolith.export.release import write_release
from otolith.models.hub import FILE
from otolith.models.pupil import Student, TeacherModel, TextStudent
from otolith.models.registry import model_name
from otolith.models.saved import Saved, TextModel
from otolith.types import DataError, MissingExtraError

if TYPE_CHECKING:
    import pandas as pd

TAGS = ("human-activity-recognition", "imu", "accelerometer", "wearables", "time-series")

LIMITS = (
    "Activities are told apart among the words or examples that are offered: offer those that may occur.",
    "Words for activities that are not among the labels of training are a guess; enrol a few seconds of each instead.",
    "Placements, devices and ways of wearing them that are not among the data of training are answered less well.",
    "The people of training were adults in studies. Nothing was tested on patients or children; not for medical use, "
    "not for surveillance, and not where a wrong answer harms someone.",
)


def push_to_hub(
    model: Saved,
    name: str,
    results: pd.DataFrame | None = None,
    *,
    private: bool = False,
    token: str | None = None,
) -> str:
    """Uploads the release of a model and its card.

    Args:
        model: As trained, or a release.
        name: `owner/name`; made if it is not there.
        results: Rows as `ResultsFile.read` gives them; those of this model go on the card.
        private: Of a repository that is made.
        token: By default the one that `hf auth login` left.

    Returns:
        Where it is.

    Raises:
        DataError: The results say nothing of this model, or the hub refuses the upload or cannot be reached.
        MissingExtraError: The extra `hub` is not installed, or a word of the vocabulary is new to the model and the
            text encoder is not installed.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise MissingExtraError("huggingface_hub", "hub", "uploading a model") from error
    with TemporaryDirectory() as folder:
        write_release(model, Path(folder) / FILE)
        size = (Path(folder) / FILE).stat().st_size
        (Path(folder) / "README.md").write_text(model_card(model, name, size, results), encoding="utf-8")
        api = HfApi(token=token, library_name="otolith")
        try:
            place = api.create_repo(name, private=private, exist_ok=True)
            api.upload_folder(repo_id=name, folder_path=folder, commit_message="Weights and card by otolith")
        except Exception as error:  # each version of the hub's client has its own errors of the network
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise DataError(
                f"{name} cannot be uploaded ({reason}): check name, token (hf auth login), network"
            ) from error
    return str(place)


def model_card(model: Saved, name: str, size: int, results: pd.DataFrame | None = None) -> str:
    """The card in Markdown; everything in it is in the checkpoint, in the cards of the datasets or in the results.

    Args:
        model: The model.
        name: `owner/name`.
        size: Bytes of its file.
        results: As in `push_to_hub`.

    Raises:
        DataError: The results say nothing of this model.
        MissingExtraError: The extra `hub` is not installed.
    """
    try:
        from huggingface_hub import ModelCardData
    except ImportError as error:
        raise MissingExtraError("huggingface_hub", "hub", "a model card") from error
    header = ModelCardData(
        license="apache-2.0", library_name="otolith", language="en", tags=list(TAGS), model_name=name.split("/")[-1]
    ).to_yaml()
    parts = [f"---\n{header}\n---", f"# {name.split('/')[-1]}", _what(model, size), _how(model, name), _data(model)]
    if results is not None:
        parts.append(_results(model, results))
    parts += [_use(model), "## Limits\n\n" + "\n".join(f"- {limit}" for limit in LIMITS)]
    return "\n\n".join(parts) + "\n"


def _what(model: Saved, size: int) -> str:
    kind = (
        "a student that keeps its teacher's space of words"
        if isinstance(model, TextStudent)
        else "a text-aligned encoder"
        if isinstance(model, TextModel)
        else f"a model of fixed classes ({', '.join(model.meta.get('labels') or ())})"
    )
    count = sum(value.numel() for value in model.parameters())
    return (
        f"Otolith names activities in recordings of wearable motion sensors. This is {kind}: {count:,} parameters, "
        f"{size / 1e6:.1f} MB, one safetensors file, no pickle."
    )


def _how(model: Saved, name: str) -> str:
    offer = '--labels "walking, sitting, cycling" ' if isinstance(model, TextModel) else ""
    command = f"otolith classify walk.csv --model {name} {offer}" if offer else f"otolith export --model {name}"
    lines = ["from otolith import load_model", "", f'model = load_model("{name}")']
    return (
        "## Use\n\n```bash\npip install 'otolith[hub]'\n"
        f"{command.strip()} ...\n```\n\n```python\n" + "\n".join(lines) + "\n```"
    )


def _data(model: Saved) -> str:
    meta = model.meta
    history: Mapping[str, Any] = meta.get("history") or meta.get("data") or {}
    hours = meta.get("hours") or {}
    lines = ["| dataset | people trained on | people who chose the checkpoint | hours | licence of the data |"]
    lines.append("| --- | ---: | ---: | ---: | --- |")
    for dataset, sides in history.items():
        about = CARDS.get(dataset)
        title, licence = (about.title, about.licence) if about else (dataset, "not known to otolith")
        people = len(sides.get("train", ())), len({*sides.get("val", ()), *sides.get("tuned", ())})
        lines.append(_row(f"{title} (`{dataset}`)", *people, hours.get(dataset, ""), licence))
    said = (
        "Hours are those of the recordings of the people trained on. The datasets keep their licences; the weights are "
        "under Apache-2.0."
    )
    made = f"Stage `{meta.get('stage')}`, step {meta.get('step')}; nobody named here may be used to test it."
    return "\n".join(["## Trained on", "", *lines, "", f"{said} {made}"])


def _results(model: Saved, results: pd.DataFrame) -> str:
    mine = results[results["model"] == model_name(model)]
    # On a dataset of training, other protocols are of other weights of the same name, such as one dataset left out.
    mine = mine[~mine["dataset"].isin(model.meta.get("history") or {}) | (mine["protocol"] == "supervised")]
    mine = mine[mine["metric"].isin(["macro_f1", "macro_f1_low", "macro_f1_high"])]
    if mine.empty:
        raise DataError(f"the results hold no macro_f1 of '{model_name(model)}': give those that evaluate wrote of it")
    lines = ["| dataset | protocol | macro-F1 | interval or spread | windows |", "| --- | --- | ---: | --- | ---: |"]
    for (dataset, protocol), rows in mine.groupby(["dataset", "protocol"], sort=False):
        of = {metric: rows[rows["metric"] == metric] for metric in ("macro_f1", "macro_f1_low", "macro_f1_high")}
        scores = of["macro_f1"]["value"]
        if len(of["macro_f1_low"]) == len(scores) == 1:
            low, high = of["macro_f1_low"]["value"].iloc[0], of["macro_f1_high"]["value"].iloc[0]
            spread = f"{low:.3f} to {high:.3f} (95 % over people)"
        else:
            spread = f"{scores.min():.3f} to {scores.max():.3f} (range of {len(scores)})" if len(scores) > 1 else ""
        lines.append(_row(dataset, protocol, f"{scores.mean():.3f}", spread, int(of["macro_f1"]["n"].iloc[0])))
    commits = ", ".join(f"`{commit[:12]}`" for commit in dict.fromkeys(mine["commit"]))
    return "\n".join(["## Results", "", *lines, "", f"Measured by otolith at commit {commits}."])


def _use(model: Saved) -> str:
    loader = model.meta.get("loader") or {}
    view = loader.get("view") or {}
    sensors = " and ".join(SENSORS[sensor].words for sensor in view.get("sensors", ()))
    kept = {True: " (acceleration with gravity)", False: " (acceleration without gravity)"}
    gravity = kept.get(bool(view["gravity"]), "") if view.get("gravity") is not None else ""
    seen = f"{sensors or 'motion sensors'}{gravity}, in windows of {loader.get('window_seconds', '?')} s"
    order = "; the channels in the order of training" if isinstance(model, Student | TextStudent | TeacherModel) else ""
    labels = ", ".join(model.meta.get("labels") or ())
    return f"## Intended use\n\nRecordings of {seen}{order}. Labels of training: {labels}."


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"
