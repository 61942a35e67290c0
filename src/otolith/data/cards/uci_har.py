"""The card of uci_har."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import six_axes, triad

CARD = DatasetCard(
    name="uci_har",
    title="Human Activity Recognition Using Smartphones",
    licence="CC BY 4.0 at the UCI repository; the README in the archive prohibits commercial use",
    citation="D. Anguita, A. Ghio, L. Oneto, X. Parra, J. L. Reyes-Ortiz: A Public Domain Dataset for Human Activity "
    "Recognition Using Smartphones. ESANN 2013, Bruges; data: doi:10.24432/C54S4K",
    sources=(
        Source(
            "https://archive.ics.uci.edu/static/public/240/human+activity+recognition+using+smartphones.zip",
            sha256="c00b803081a5c797cd5e4b83700a9810b38d53d9d84e01917e090e1fdbc81031",
            bytes=61_005_872,
            note="UCI dataset 240; the archive holds a second one, UCI HAR Dataset.zip",
            direct=True,
        ),
    ),
    rate=50.0,
    channels=(
        *six_axes("waist", "smartphone"),
        *triad("acc", "waist", device="smartphone", gravity=False, prefix="body_"),
    ),
    activities={
        "1": "walking",
        "2": "walking upstairs",
        "3": "walking downstairs",
        "4": "sitting",
        "5": "standing",
        "6": "lying",
    },
    subjects=30,
    split=SubjectSplit(
        test=tuple(f"user{k:02d}" for k in (2, 4, 9, 10, 12, 13, 18, 20, 24)),
        val=tuple(f"user{k:02d}" for k in (7, 16, 23, 29)),
        official=True,
        note="test as in test/subject_test.txt; val fixed by Otolith, the same people as for hapt",
    ),
    converter="uci_har",
    recordings=None,
    rows=None,
    # As measured on the recordings behind it; see the card of hapt.
    upright={"waist": (0.985, -0.167, -0.037)},
    shares_recordings_with=("hapt",),
    notes="10,299 windows of 2.56 s that overlap by half (7,352 of 21 people to train, 2,947 of 9 to test), joined "
    "back into the stretches that they were cut from, each of one activity and mostly 10 to 20 s long. All signals "
    "went through a median and a 20 Hz low-pass filter; body_acc is acc without what is slower than 0.3 Hz. People "
    "have the numbers that they have in hapt: person by person, its labelled stretches give nearly the same number of "
    "windows. Size and checksum are those that several people have published of their downloads; the authors give "
    "none.",
)
