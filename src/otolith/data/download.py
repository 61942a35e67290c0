"""Fetching the files of a dataset from where its card says: resumed, retried, verified, pinned."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urljoin, urlsplit

import urllib3

from otolith.data.card import DatasetCard, Source
from otolith.data.unpack import unpack
from otolith.files import atomic_file
from otolith.types import ConfigError, DataError

Progress = Callable[[str, int, int | None], None]
"""Called with the file's name, the bytes that are there, and the bytes that it will have (None: not said)."""

ATTEMPTS = 6
"""How often a transfer that breaks off is taken up again before it is given up."""

MAX_BYTES = 64 * 1024**3
"""No dataset known here comes near this size; a server that sends more is not the one that was meant."""

_CHUNK = 65_536  # what is lost when a transfer breaks off
_PROGRESS = 1024**2
_TIMEOUT = urllib3.Timeout(connect=20, read=60)
_PINS = "sources.json"
_MARK = ".otolith-unpacked.json"


def download(card: DatasetCard, raw_dir: Path, progress: Progress = lambda *_: None) -> Path:
    """Fetches, verifies and unpacks a dataset.

    The files stay in `raw_dir/archives/<name>`; beside them `sources.json` pins size and sha256 of each at its first
    arrival where the card has none. What a person has put there by hand (behind a form, a login) is taken likewise.

    Args:
        card: Which dataset.
        raw_dir: The folder of all archives (`OTOLITH_RAW_DIR`).
        progress: Told of every piece.

    Returns:
        `raw_dir/<name>`, which `convert` reads.

    Raises:
        ConfigError: The dataset needs a person to fetch it; the sentence says what to fetch and where to put it.
        DataError: No connection, a file differs from what was published or pinned, or it cannot be unpacked.
    """
    if card.package:
        raise ConfigError(
            f"'{card.name}' comes inside the package {card.package} and is not fetched: pip install {card.package}"
        )
    place = _place(card, raw_dir)
    files = [fetch(source, place, progress) for source in card.sources if source.direct] or _by_hand(card, place)
    hashes = {file.name: _pin(file, place, _source_of(card, file)) for file in files}
    target = raw_dir / card.name
    if _unpacked(target) != hashes:
        if target.exists() and _unpacked(target) is None and any(target.iterdir()):
            raise DataError(f"{target} is there and was not unpacked by otolith, so it is left as it is; move it away")
        unpack(files, target, {_MARK: json.dumps(hashes, indent=1) + "\n"})
    return target


def sources_of(card: DatasetCard, raw_dir: Path | None) -> tuple[Source, ...]:
    """The card's sources, with size and sha256 as pinned where the card does not know them.

    Files that a person has fetched by hand have no address of their own; they come last, with that of the card's page.
    """
    pins = _pins(_place(card, raw_dir)) if raw_dir else {}
    known = {file_name(source): source for source in card.sources}
    filled = [
        replace(source, sha256=source.sha256 or pin["sha256"], bytes=source.bytes or pin["bytes"])
        for name, source in known.items()
        for pin in (pins.get(name, {"sha256": None, "bytes": None}),)
    ]
    by_hand = [
        Source(card.sources[0].url, pin["sha256"], pin["bytes"], note=name)
        for name, pin in pins.items()
        if name not in known
    ]
    return (*filled, *by_hand)


def _place(card: DatasetCard, raw_dir: Path) -> Path:
    return raw_dir / "archives" / card.name


def file_name(source: Source) -> str:
    """The last part of the address, as a plain file name."""
    name = unquote_plus(urlsplit(source.url).path.rstrip("/").rpartition("/")[2])
    return "".join(c if c.isalnum() or c in "._- +()" else "_" for c in name).lstrip(".") or "archive"


def fetch(source: Source, folder: Path, progress: Progress = lambda *_: None, *, pause: float = 1.0) -> Path:
    """One file, taken up where an earlier transfer broke off.

    Args:
        source: Address, and size and sha256 where they are known.
        folder: Where the file goes; an unfinished one lies beside it as `<name>.part`.
        progress: Told of every piece.
        pause: Seconds before the second attempt; doubled for each further one.

    Raises:
        DataError: No connection after `ATTEMPTS`, an answer that is no file, or another size than published.
    """
    name = file_name(source)
    target, part, mark = (folder / n for n in (name, f"{name}.part", f"{name}.part.json"))
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    trouble: Exception | None = None
    attempt = 0
    with urllib3.PoolManager(timeout=_TIMEOUT, retries=False) as pool:
        while attempt < ATTEMPTS:
            if attempt:
                time.sleep(pause * 2 ** (attempt - 1))
            before = _size(part)
            try:
                whole = _transfer(pool, source, part, mark, lambda done, total: progress(name, done, total))
            except (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
                trouble, whole = error, False
            if whole:
                part.replace(target)
                mark.unlink(missing_ok=True)
                return target
            attempt = 1 if _size(part) >= before + _PROGRESS else attempt + 1  # a slow line may break off often
    raise DataError(
        f"{source.url} could not be fetched in {ATTEMPTS} attempts ({trouble or 'it breaks off'}); what has arrived is "
        "kept, so run the same command again later"
    ) from trouble


def _transfer(
    pool: urllib3.PoolManager, source: Source, part: Path, mark: Path, told: Callable[[int, int | None], None]
) -> bool:
    """Takes the file up where it stands; whether it is whole now."""
    begun, version = _size(part), _version(mark, source)
    headers = {"User-Agent": "otolith", "Accept-Encoding": "identity"}
    if begun and version:
        headers |= {"Range": f"bytes={begun}-", "If-Range": version}  # another file at this address comes as a whole
    response = _request(pool, source.url, headers)
    try:
        begun = begun if response.status == 206 and _continues(response, begun) else 0
        length = response.headers.get("Content-Length", "")
        total = begun + int(length) if length.isdigit() else source.bytes
        if max(total or 0, begun) > MAX_BYTES or (source.bytes and total not in (None, source.bytes)):
            raise DataError(
                f"{source.url} would give {total} bytes where {source.bytes or f'at most {MAX_BYTES}'} are expected; "
                "the file has been replaced at its source: see its page, and report it"
            )
        if not begun:
            etag = response.headers.get("ETag", "")
            version = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
            mark.write_text(json.dumps({"url": source.url, "version": version}), encoding="utf-8")
        with part.open("ab" if begun else "wb") as out:
            for piece in response.stream(_CHUNK):
                out.write(piece)
                begun += len(piece)
                told(begun, total)
                if begun > (total or MAX_BYTES):
                    raise DataError(f"{source.url} sends more than it said; report it to the dataset's authors")
    finally:
        response.release_conn()
        response.close()
    return total is None or begun == total


def _request(pool: urllib3.PoolManager, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
    """The answer to a GET, redirections followed, unless to a place that is less safe."""
    for _ in range(8):
        response = pool.request("GET", url, headers=headers, preload_content=False, redirect=False)
        location = response.get_redirect_location()
        if not location:
            break
        response.close()
        following = urljoin(url, str(location))
        if urlsplit(url).scheme == "https" != urlsplit(following).scheme:
            raise DataError(f"{url} leads to an address without encryption ({following}); fetch the file by hand")
        url = following
    if response.status in (200, 206):
        return response
    response.close()
    if response.status == 416:  # nothing is left to fetch, or the file has become shorter: begin anew
        headers.pop("Range", None)
        headers.pop("If-Range", None)
        return _request(pool, url, headers)
    if response.status in (408, 425, 429) or response.status >= 500:
        raise urllib3.exceptions.HTTPError(f"the server answers {response.status}")
    raise DataError(f"{url} answers {response.status}, so the file is not there any more; see the dataset's page")


def _continues(response: urllib3.BaseHTTPResponse, begun: int) -> bool:
    return response.headers.get("Content-Range", "").startswith(f"bytes {begun}-")


def _version(mark: Path, source: Source) -> str:
    """What the server called the file of which a part is here; empty where that is not known."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        said = json.loads(mark.read_text(encoding="utf-8"))
        if said["url"] == source.url:
            return str(said["version"])
    return ""


def _source_of(card: DatasetCard, file: Path) -> Source | None:
    return next((source for source in card.sources if source.direct and file_name(source) == file.name), None)


def _pin(file: Path, place: Path, source: Source | None) -> str:
    """The sha256 of a file, held against what is published, else against its first arrival."""
    pins = _pins(place)
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    size = file.stat().st_size
    pinned = pins.get(file.name)
    published = source.sha256 if source else None
    expected = published or (pinned["sha256"] if pinned else found)
    if found != expected:
        who = "published" if published else f"that it had at its first arrival ({place / _PINS})"
        raise DataError(
            f"{file} has sha256 {found[:12]}..., not the one {who}, {expected[:12]}...: "
            "remove the file and run the command again, or report that it has been replaced at its source"
        )
    if not pinned:
        pins[file.name] = {"url": source.url if source else "", "sha256": found, "bytes": size}
        with atomic_file(place / _PINS) as temporary:
            temporary.write_text(json.dumps(pins, indent=1) + "\n", encoding="utf-8")
    return found


def _pins(place: Path) -> dict[str, Any]:
    """Size and sha256 of each file at its first arrival, by the file's name."""
    with suppress(OSError, ValueError):
        said = json.loads((place / _PINS).read_text(encoding="utf-8"))
        return {name: pin for name, pin in said.items() if {"sha256", "bytes"} <= pin.keys()}
    return {}


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _by_hand(card: DatasetCard, place: Path) -> list[Path]:
    """The files that a person has put there."""
    ours = (_PINS, ".part", ".json")
    files = sorted(p for p in place.glob("*") if p.is_file() and not p.name.endswith(ours) and p.name[0] != ".")
    if not files:
        raise ConfigError(
            f"'{card.name}' cannot be fetched by a command: {card.access or 'see ' + card.sources[0].url}; "
            f"put what you get into {place} and run this again"
        )
    return files


def _unpacked(target: Path) -> dict[str, str] | None:
    """Of what the folder was unpacked, by name and sha256; None where that is not known."""
    with suppress(OSError, ValueError):
        return dict(json.loads((target / _MARK).read_text(encoding="utf-8")))
    return None
