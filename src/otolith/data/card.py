"""What a card says of a public dataset: what it is, whose it is, where it comes from, what channels and labels mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from otolith.data.channels import Channel


@dataclass(frozen=True)
class Source:
    """A file to fetch.

    Attributes:
        url: The authors' or the archive's own address.
        sha256: Checksum, or None where none has been verified.
        bytes: Size, or None where it has not been verified.
        note: What to know, for example that the file lies inside a wheel.
        direct: Whether the address gives the archive itself; else it is a page, and the card's `access` says what
            to do.
    """

    url: str
    sha256: str | None = None
    bytes: int | None = None
    note: str = ""
    direct: bool = False


@dataclass(frozen=True)
class SubjectSplit:
    """Who is on which side, for everyone who uses the card. All other subjects train.

    Attributes:
        test: Subjects to test on.
        val: Subjects who judge checkpoints.
        official: Whether the authors publish this split; else Otolith has fixed it.
        note: Where an official one is published, or what it does not keep apart.
    """

    test: tuple[str, ...]
    val: tuple[str, ...] = ()
    official: bool = False
    note: str = ""

    @classmethod
    def every_fifth(cls, subjects: Iterable[str]) -> SubjectSplit:
        """The rule where no split is published: of each five people in order, the fourth judges, the fifth tests.

        Args:
            subjects: Everyone in the full archive, in natural order.
        """
        names = tuple(subjects)
        return cls(
            test=names[4::5], val=names[3::5], note="every fifth person tests, the one before judges checkpoints"
        )


@dataclass(frozen=True)
class DatasetCard:
    """What a converter and its user must know about a dataset.

    Attributes:
        name: The name that results files use.
        title: Its name in words.
        licence: As stated by the authors or their archive.
        citation: What to cite.
        sources: Where the archive comes from.
        rate: Samples per second of its recordings.
        channels: All channels that occur; each recording has some of them, in this order.
        activities: Label in the archive to label in the vocabulary.
        subjects: Number of people in the full archive.
        split: Who trains, judges and tests, by the names that the converter gives.
        converter: Module in `otolith.data.converters`.
        recordings: Number of recordings in the full archive, or None where it has not been verified.
        rows: Number of samples in the full archive, over all recordings, or None where it has not been verified.
        other_rates: Samples per second of the sensors that are recorded on a clock of their own, by sensor.
        upright: For a placement whose mounting is known, the direction of what the accelerometer feels while its wearer
            stands or walks, as (x, y, z) of length one; it tells when the sign of gravity is wrong.
        zero_shot_only: Never to be trained on.
        shares_recordings_with: Datasets made from the same recordings: never one in training and the other in test.
        package: The installed package that carries the data; empty when it must be fetched.
        access: What a person must do where no source is direct: the form, the login, what to fetch. Else empty.
        notes: Anything else.
    """

    name: str
    title: str
    licence: str
    citation: str
    sources: tuple[Source, ...]
    rate: float
    channels: tuple[Channel, ...]
    activities: dict[str, str] = field(hash=False)
    subjects: int
    split: SubjectSplit
    converter: str
    recordings: int | None
    rows: int | None
    other_rates: Mapping[str, float] = field(default_factory=dict, hash=False)
    upright: Mapping[str, tuple[float, float, float]] = field(default_factory=dict, hash=False)
    zero_shot_only: bool = False
    shares_recordings_with: tuple[str, ...] = ()
    package: str = ""
    access: str = ""
    notes: str = ""

    def rate_of(self, channels: Iterable[Channel]) -> float:
        """Samples per second of a recording with these channels."""
        rates = {self.other_rates.get(channel.sensor, self.rate) for channel in channels}
        if len(rates) != 1:
            raise ValueError(f"'{self.name}': the channels of one recording have one clock, not {sorted(rates)} Hz")
        return rates.pop()
