"""The card of pamap2."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import Channel, triad

_DEVICE = "inertial sensor"

CARD = DatasetCard(
    name="pamap2",
    title="PAMAP2 Physical Activity Monitoring",
    licence="CC BY 4.0, as at the UCI repository",
    citation="A. Reiss, D. Stricker: Introducing a New Benchmarked Dataset for Activity Monitoring. ISWC 2012, "
    "108-109. doi:10.1109/ISWC.2012.13; data: doi:10.24432/C5NW2H",
    sources=(
        Source(
            "https://archive.ics.uci.edu/static/public/231/pamap2+physical+activity+monitoring.zip",
            note="UCI dataset 231; the archive holds a second one, PAMAP2_Dataset.zip",
            direct=True,
        ),
    ),
    rate=100.0,
    channels=(
        *(
            channel
            for placement in ("dominant wrist", "chest", "dominant ankle")
            for prefix in (placement.split()[-1] + "_",)
            for channel in (
                Channel(f"{prefix}temperature", "temperature", "", placement, _DEVICE),
                *triad("acc", placement, device=_DEVICE, gravity=True, prefix=prefix),
                *triad("acc", placement, device=f"{_DEVICE} (6 g)", gravity=True, prefix=f"{prefix}6g_"),
                *triad("gyro", placement, device=_DEVICE, prefix=prefix),
                *triad("mag", placement, device=_DEVICE, prefix=prefix),
            )
        ),
        Channel("heart_rate", "heart_rate", "", "chest", "chest strap"),
    ),
    activities={
        "1": "lying",
        "2": "sitting",
        "3": "standing",
        "4": "walking",
        "5": "running",
        "6": "cycling",
        "7": "nordic walking",
        "9": "watching television",
        "10": "computer work",
        "11": "driving a car",
        "12": "walking upstairs",
        "13": "walking downstairs",
        "16": "vacuum cleaning",
        "17": "ironing",
        "18": "folding clothes",
        "19": "house cleaning",
        "20": "playing soccer",
        "24": "jumping rope",
    },
    subjects=9,
    split=SubjectSplit.every_fifth(f"subject{k}" for k in range(101, 110)),
    converter="pamap2",
    recordings=None,
    rows=None,
    other_rates={"heart_rate": 9.0},
    # Rows of two people in public reports; over all people the ankle's x has quartiles of 8.4 and 10.3 m/s^2. Of the
    # wrist nothing certain is known.
    upright={"chest": (0.0, 1.0, 0.0), "dominant ankle": (1.0, 0.0, 0.0)},
    notes="Two recordings for each of the 14 files, nine of the protocol and five of optional activities: the three "
    "sensors at 100 Hz, and the heart rate, measured about nine times a second, at 9 Hz. The 14 files have 3,850,505 "
    "lines as published; the archive itself has not been looked at. Each sensor has two accelerometers; the authors "
    "recommend the one of 16 g, as that of 6 g is not calibrated with it and is cut off in running. The latter is said "
    "to be of a device of its own, 'inertial sensor (6 g)', so that their words differ; a rotation drawn for each "
    "device therefore differs between the two as well. Orientation is invalid in the archive and left out. Samples "
    "that the radio lost (0.4 % of wrist and ankle, 0.1 % of the chest) "
    "are bridged over at most three sampling intervals, and NaN beyond. Time between activities has no label; within "
    "it the parts of a recording that was aborted are joined. Subject 108 is left-handed, the others right-handed. Of "
    "subject 109 the protocol has little more than rope jumping. Gravity is away from the ground: at rest the "
    "magnetometer points the other way, as the Earth's field does in Germany.",
)
