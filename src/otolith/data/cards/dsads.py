"""The card of dsads."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import NORMALISED, six_axes, triad

_UNITS = ("torso", "right arm", "left arm", "right leg", "left leg")

CARD = DatasetCard(
    name="dsads",
    title="Daily and Sports Activities",
    licence="CC BY 4.0, as at the UCI repository",
    citation="K. Altun, B. Barshan, O. Tunçel: Comparative study on classifying human activities with miniature "
    "inertial and magnetic sensors. Pattern Recognition 43(10), 3605-3620, 2010. doi:10.1016/j.patcog.2010.04.019; "
    "data: doi:10.24432/C5C59F",
    sources=(
        Source(
            "https://archive.ics.uci.edu/static/public/256/daily+and+sports+activities.zip",
            note="UCI dataset 256",
            direct=True,
        ),
    ),
    rate=25.0,
    channels=tuple(
        channel
        for unit in _UNITS
        for prefix in (unit.replace(" ", "_") + "_",)
        for channel in (
            *six_axes(unit, "inertial sensor", prefix),
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
    split=SubjectSplit.every_fifth(f"p{k}" for k in range(1, 9)),
    converter="dsads",
    recordings=152,
    rows=None,
    # Means over p1 to p6. That acceleration points up at rest is borne out by the magnetometers: the field makes a
    # cosine of -0.85 with it, as in Ankara, where it points down by about 58 degrees.
    upright={
        "torso": (0.95, -0.02, 0.3),
        "right arm": (0.85, 0.45, 0.27),
        "left arm": (0.86, -0.39, 0.34),
        "right leg": (-0.99, 0.03, -0.13),
        "left leg": (-0.99, -0.08, -0.1),
    },
    notes="The published segments of five seconds are joined to the five minutes that they were cut from. In five of "
    "the 114 recordings of p1 to p6 (a05, a06 of p1 and p6, a18 of p6) segments hold four seconds and zeros; the zeros "
    "are left out. In nine others (a05, a06 of p2 to p4, a13 and a18 of p3, a02 of p6) the signal jumps at many of the "
    "seams: something was cut out there. The magnetometers are in units of the Earth's field at calibration, so their "
    "scale is lost. Placements are the archive's words; p7 and p8 have not been looked at.",
)
