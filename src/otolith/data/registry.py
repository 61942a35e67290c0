"""One card for each public dataset: what it is, whose it is, where it comes from, what its channels and labels mean."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from otolith.data.channels import NORMALISED, Channel, triad
from otolith.types import DataError


@dataclass(frozen=True)
class Source:
    """A file to fetch.

    Attributes:
        url: The authors' or the archive's own address.
        sha256: Checksum, or None where none has been verified.
        bytes: Size, or None where it has not been verified.
        note: What to know, for example that the file lies inside a wheel.
    """

    url: str
    sha256: str | None = None
    bytes: int | None = None
    note: str = ""


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
        converter: Module in `otolith.data.converters`.
        recordings: Number of recordings in the full archive, or None where it has not been verified.
        rows: Number of samples in the full archive, over all recordings, or None where it has not been verified.
        zero_shot_only: Never to be trained on.
        shares_recordings_with: Datasets made from the same recordings: never one in training and the other in test.
        package: The installed package that carries the data; empty when it must be fetched.
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
    converter: str
    recordings: int | None
    rows: int | None
    zero_shot_only: bool = False
    shares_recordings_with: tuple[str, ...] = ()
    package: str = ""
    notes: str = ""


def card(name: str) -> DatasetCard:
    """The card of a dataset.

    Raises:
        DataError: No such dataset; the sentence names the nearest one.
    """
    if name in CARDS:
        return CARDS[name]
    near = difflib.get_close_matches(name.lower(), CARDS, n=1, cutoff=0.3)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise DataError(f"unknown dataset '{name}': {hint}known datasets are {', '.join(CARDS)}")


def _six_axes(placement: str, device: str, prefix: str = "") -> tuple[Channel, ...]:
    return (
        *triad("acc", placement, device=device, gravity=True, prefix=prefix),
        *triad("gyro", placement, device=device, prefix=prefix),
    )


_SPAR = DatasetCard(
    name="spar",
    title="Shoulder physiotherapy exercises with a smartwatch (the part that comes with seglearn)",
    licence="BSD 3-Clause, as part of the package seglearn",
    citation="D. M. Burns, N. Leung, M. Hardisty, C. M. Whyne, P. Henry, S. McLachlin: Shoulder physiotherapy exercise "
    "recognition: machine learning the inertial signals from a smartwatch. Physiological Measurement 39(7), 075007, "
    "2018. doi:10.1088/1361-6579/aacfd9, arXiv:1802.01489",
    sources=(
        Source(
            "https://pypi.org/project/seglearn/1.2.5/",
            "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537",
            18118091,
            "checksum and size of seglearn/data/watch_dataset.npy inside the wheel",
        ),
    ),
    rate=50.0,
    channels=(*_six_axes("left wrist", "smartwatch"), *_six_axes("right wrist", "smartwatch")),
    activities={
        "PEN": "shoulder pendulum",
        "ABD": "shoulder abduction",
        "FEL": "forward elevation of the arm",
        "IR": "internal rotation with resistance band",
        "ER": "external rotation with resistance band",
        "TRAP": "lower trapezius row with resistance band",
        "ROW": "bent over row",
    },
    subjects=10,
    converter="spar",
    recordings=140,
    rows=244_102,
    package="seglearn",
    notes="Half of the study's 20 subjects. Each exercise was done on both sides, with the watch on the wrist of the "
    "exercising arm; the person is the unit of splitting, not the shoulder.",
)

_HAPT = DatasetCard(
    name="hapt",
    title="Smartphone-Based Recognition of Human Activities and Postural Transitions",
    licence="CC BY 4.0 at the UCI repository; the README in the archive prohibits commercial use",
    citation="J.-L. Reyes-Ortiz, L. Oneto, A. Samà, X. Parra, D. Anguita: Transition-Aware Human Activity Recognition "
    "Using Smartphones. Neurocomputing 171, 754-767, 2016. doi:10.1016/j.neucom.2015.07.085; data: doi:10.24432/C54G7M",
    sources=(
        Source(
            "https://archive.ics.uci.edu/static/public/341/"
            "smartphone+based+recognition+of+human+activities+and+postural+transitions.zip",
            note="UCI dataset 341",
        ),
    ),
    rate=50.0,
    channels=_six_axes("waist", "smartphone"),
    activities={
        "1": "walking",
        "2": "walking upstairs",
        "3": "walking downstairs",
        "4": "sitting",
        "5": "standing",
        "6": "lying",
        "7": "sitting down",
        "8": "standing up from sitting",
        "9": "lying down from sitting",
        "10": "sitting up from lying",
        "11": "lying down from standing",
        "12": "standing up from lying",
    },
    subjects=30,
    converter="hapt",
    recordings=61,
    rows=1_122_772,
    shares_recordings_with=("uci_har",),
    notes="The raw recordings behind UCI HAR. About a quarter of the samples have no label.",
)

_MOTIONSENSE = DatasetCard(
    name="motionsense",
    title="MotionSense",
    licence="MIT, as in the licence file of the official repository",
    citation="M. Malekzadeh, R. G. Clegg, A. Cavallaro, H. Haddadi: Mobile Sensor Data Anonymization. IoTDI 2019, "
    "49-58, doi:10.1145/3302505.3310068; and: Protecting Sensory Data against Sensitive Inferences. W-P2DS 2018. "
    "doi:10.1145/3195258.3195260",
    sources=(
        Source(
            "https://github.com/mmalekzadeh/motion-sense/raw/master/data/A_DeviceMotion_data.zip",
            note="described at https://github.com/mmalekzadeh/motion-sense",
        ),
    ),
    rate=50.0,
    channels=(
        *_six_axes("front trouser pocket", "smartphone"),
        *(
            Channel(f"attitude_{name}", "orientation", axis, "front trouser pocket", "smartphone")
            for name, axis in (("pitch", "x"), ("roll", "y"), ("yaw", "z"))
        ),
        *triad("acc", "front trouser pocket", device="smartphone", gravity=False, prefix="user_"),
    ),
    activities={
        "dws": "walking downstairs",
        "ups": "walking upstairs",
        "sit": "sitting",
        "std": "standing",
        "wlk": "walking",
        "jog": "jogging",
    },
    subjects=24,
    converter="motionsense",
    recordings=360,
    rows=1_412_865,
    zero_shot_only=True,
    notes="Core Motion splits acceleration into gravity and user acceleration; acc is their sum. A trial starts and "
    "ends with the phone put into and taken out of the pocket. Yaw is relative to an arbitrary direction.",
)

_DSADS_UNITS = ("torso", "right arm", "left arm", "right leg", "left leg")

_DSADS = DatasetCard(
    name="dsads",
    title="Daily and Sports Activities",
    licence="CC BY 4.0, as at the UCI repository",
    citation="K. Altun, B. Barshan, O. Tunçel: Comparative study on classifying human activities with miniature "
    "inertial and magnetic sensors. Pattern Recognition 43(10), 3605-3620, 2010. doi:10.1016/j.patcog.2010.04.019; "
    "data: doi:10.24432/C5C59F",
    sources=(
        Source("https://archive.ics.uci.edu/static/public/256/daily+and+sports+activities.zip", note="UCI dataset 256"),
    ),
    rate=25.0,
    channels=tuple(
        channel
        for unit in _DSADS_UNITS
        for prefix in (unit.replace(" ", "_") + "_",)
        for channel in (
            *_six_axes(unit, "inertial sensor", prefix),
            *triad("mag", unit, device="inertial sensor", prefix=prefix, unit=NORMALISED),
        )
    ),
    activities={
        "01": "sitting",
        "02": "standing",
        "03": "lying on the back",
        "04": "lying on the right side",
        "05": "walking upstairs",
        "06": "walking downstairs",
        "07": "standing in an elevator",
        "08": "moving around in an elevator",
        "09": "walking in a parking lot",
        "10": "walking on a treadmill",
        "11": "walking uphill on a treadmill",
        "12": "running on a treadmill",
        "13": "climbing on a stair machine",
        "14": "using an elliptical trainer",
        "15": "cycling on a recumbent bike",
        "16": "cycling on an exercise bike",
        "17": "rowing on a machine",
        "18": "jumping",
        "19": "playing basketball",
    },
    subjects=8,
    converter="dsads",
    recordings=152,
    rows=None,
    notes="The published segments of five seconds are joined to the five minutes that they were cut from. In five of "
    "the 114 recordings of p1 to p6 (a05, a06 of p1 and p6, a18 of p6) segments hold four seconds and zeros; the zeros "
    "are left out. In nine others (a05, a06 of p2 to p4, a13 and a18 of p3, a02 of p6) the signal jumps at many of the "
    "seams: something was cut out there. The magnetometers are in units of the Earth's field at calibration, so their "
    "scale is lost. Placements are the archive's words; p7 and p8 have not been looked at.",
)

_WISDM = DatasetCard(
    name="wisdm",
    title="WISDM Smartphone and Smartwatch Activity and Biometrics (2019)",
    licence="CC BY 4.0, as at the UCI repository",
    citation="G. M. Weiss, K. Yoneda, T. Hayajneh: Smartphone and Smartwatch-Based Biometrics Using Activities of "
    "Daily Living. IEEE Access 7, 133190-133202, 2019. doi:10.1109/ACCESS.2019.2940729; data: doi:10.24432/C5HK59",
    sources=(
        Source(
            "https://archive.ics.uci.edu/static/public/507/"
            "wisdm+smartphone+and+smartwatch+activity+and+biometrics+dataset.zip",
            note="UCI dataset 507; the archive holds a second one, wisdm-dataset.zip",
        ),
    ),
    rate=20.0,
    channels=(*_six_axes("front trouser pocket", "smartphone"), *_six_axes("dominant wrist", "smartwatch")),
    activities={
        "A": "walking",
        "B": "jogging",
        "C": "using stairs",
        "D": "sitting",
        "E": "standing",
        "F": "typing",
        "G": "brushing teeth",
        "H": "eating soup",
        "I": "eating chips",
        "J": "eating pasta",
        "K": "drinking",
        "L": "eating a sandwich",
        "M": "kicking a ball",
        "O": "playing catch",
        "P": "dribbling a basketball",
        "Q": "writing",
        "R": "clapping",
        "S": "folding clothes",
    },
    subjects=51,
    converter="wisdm",
    recordings=None,
    rows=None,
    notes="One recording for each subject, device and activity. Accelerometer and gyroscope are sampled at their own "
    "times and merged on a grid of 20 Hz over the time that both cover; phone and watch have unrelated clocks. "
    "Acceleration is cut off at 2 g. The archive says that the phone was in a pocket and the watch on the dominant "
    "hand; that it was a front pocket of the trousers is seen in the numbers, where gravity turns with the thigh when "
    "the person sits. Counts of the full archive have not been verified (8 of 51 subjects have).",
)

_TUG = DatasetCard(
    name="tug",
    title="Timed Up and Go with a smartphone and a smartwatch (sp-sw-har)",
    licence="CC BY 4.0, as in the README of the official repository",
    citation="M. Matey-Sanz, S. Casteleyn, C. Granell: Dataset of inertial measurements of smartphones and "
    "smartwatches for human activity recognition. Data in Brief, 109809, 2023. doi:10.1016/j.dib.2023.109809; "
    "data: doi:10.5281/zenodo.8398688",
    sources=(
        Source(
            "https://doi.org/10.5281/zenodo.8398688",
            note="the folder DATA, also at https://github.com/GeoTecINIT/sp-sw-har-dataset",
        ),
    ),
    rate=100.0,
    channels=(*_six_axes("front trouser pocket", "smartphone"), *_six_axes("left wrist", "smartwatch")),
    activities={
        "SEATED": "sitting",
        "STANDING_UP": "standing up from sitting",
        "WALKING": "walking",
        "TURNING": "turning",
        "SITTING_DOWN": "sitting down",
    },
    subjects=23,
    converter="tug",
    recordings=446,
    rows=505_027,
    notes="223 executions, each with both devices; a recording holds one device. Sampled at 102.4 Hz (phone) and 104.3 "
    "Hz (watch), brought to 100 Hz. The orientation of the phone in the pocket varies and is listed in the archive's "
    "executions_info.csv. The README does not name the placements; left front pocket and left wrist are taken from a "
    "description by others.",
)

_UTD_MHAD = DatasetCard(
    name="utd_mhad",
    title="UTD Multimodal Human Action Dataset",
    licence="none stated; its authors call it freely available and ask for the citation",
    citation="C. Chen, R. Jafari, N. Kehtarnavaz: UTD-MHAD: A Multimodal Dataset for Human Action Recognition "
    "Utilizing a Depth Camera and a Wearable Inertial Sensor. ICIP 2015, 168-172. doi:10.1109/ICIP.2015.7350781",
    sources=(Source("https://www.utdallas.edu/~kehtar/UTD-MHAD.html", note="Inertial.zip, linked from this page"),),
    rate=50.0,
    channels=(*_six_axes("right wrist", "inertial sensor"), *_six_axes("right thigh", "inertial sensor")),
    activities={
        "1": "swiping left",
        "2": "swiping right",
        "3": "waving",
        "4": "clapping",
        "5": "throwing",
        "6": "crossing the arms",
        "7": "shooting a basketball",
        "8": "drawing an x",
        "9": "drawing a circle clockwise",
        "10": "drawing a circle counterclockwise",
        "11": "drawing a triangle",
        "12": "bowling",
        "13": "boxing",
        "14": "swinging a baseball bat",
        "15": "swinging a tennis racket",
        "16": "biceps curl",
        "17": "serving in tennis",
        "18": "pushing with two hands",
        "19": "knocking on a door",
        "20": "catching an object",
        "21": "picking up and throwing",
        "22": "jogging in place",
        "23": "walking in place",
        "24": "standing up from sitting",
        "25": "sitting down",
        "26": "lunge",
        "27": "squat",
    },
    subjects=8,
    converter="utd_mhad",
    recordings=861,
    rows=155_638,
    notes="Sensor on the right wrist for actions 1 to 21, on the right thigh for 22 to 27. Values are cut off at 8 g "
    "and 1000 deg/s. Only the inertial modality is converted: skeleton, depth and video have clocks and units of their "
    "own and are left out.",
)

CARDS: dict[str, DatasetCard] = {
    item.name: item for item in (_SPAR, _HAPT, _MOTIONSENSE, _DSADS, _WISDM, _TUG, _UTD_MHAD)
}
"""Every dataset that Otolith can convert."""
