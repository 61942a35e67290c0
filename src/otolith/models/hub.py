"""Models of the Hugging Face hub: one safetensors file each, fetched once and kept in the hub's own cache."""

from __future__ import annotations

import re
from pathlib import Path

from otolith.types import CheckpointError, MissingExtraError

FILE = "model.safetensors"
"""The one file of a repository that is ever read."""

_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")


def is_hub_id(name: str) -> bool:
    """Whether this could be `owner/name` or `owner/name@revision` and is nothing in a folder here."""
    return bool(_ID.fullmatch(name)) and not name.endswith(".safetensors") and not Path(name).parent.exists()


def fetch(name: str) -> Path:
    """The checkpoint of a model on the hub; the endpoint, the token and the cache are those of huggingface_hub.

    Args:
        name: As `is_hub_id`.

    Raises:
        CheckpointError: There is no such model, the hub refuses it, or cannot be reached.
        MissingExtraError: The extra `hub` is not installed.
    """
    try:
        from huggingface_hub import errors, hf_hub_download
    except ImportError as error:
        purpose = f"'{name}' is no file here, and to look for it on the Hugging Face hub"
        raise MissingExtraError("huggingface_hub", "hub", purpose) from error
    repository, _, revision = name.partition("@")
    absent = f"there is no checkpoint at {name}, and "
    try:
        return Path(hf_hub_download(repository, FILE, revision=revision or None, library_name="otolith"))
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise CheckpointError(
            f"{absent}the Hugging Face hub cannot be reached: give a file, or try again with a network"
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError) as error:
        raise CheckpointError(
            f"{absent}no {FILE} of that name on the Hugging Face hub: check the name, and log in (hf auth login) if it "
            "is private"
        ) from error
    except (errors.HfHubHTTPError, OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"{absent}the Hugging Face hub does not give it ({reason})") from error
