"""The card of vtt_coniot."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import Channel, triad


def _unit(placement: str, prefix: str) -> tuple[Channel, ...]:
    """What one sensing unit gives."""
    return (
        *triad("acc", placement, gravity=True, prefix=prefix),
        *triad("gyro", placement, prefix=prefix),
        *triad("mag", placement, prefix=prefix),
    )


CARD = DatasetCard(
    name="vtt_coniot",
    title="VTT-ConIot: Activity Recognition of Construction Workers",
    licence="CC BY 4.0 at Zenodo, as given by others",
    citation="S.-M. Mäkelä et al.: Introducing VTT-ConIot: A Realistic Dataset for Activity Recognition of "
    "Construction Workers Using IMU Devices. Sustainability 14(1), 220, 2022. doi:10.3390/su14010220; "
    "data: doi:10.5281/zenodo.4683703",
    sources=(
        Source(
            "https://zenodo.org/records/4683703/files/VTT_ConIot_Dataset.zip",
            note="Zenodo record 4683703; its folder VTT-ConIot-IMU-Data holds the recordings",
            direct=True,
        ),
    ),
    rate=100.0,
    channels=(*_unit("hip", "hip_"), *_unit("back", "back_"), *_unit("upper arm", "upper_arm_")),
    activities={
        "1": "painting with a roller",
        "2": "spraying paint",
        "3": "levelling paint",
        "4": "vacuum cleaning",
        "5": "picking up objects",
        "6": "going up and down a few steps",
        "7": "jumping down",
        "8": "leaning back",
        "9": "working with hands high overhead",
        "10": "working with hands raised low",
        "11": "working crouched",
        "12": "working on the knees",
        "13": "walking",
        "14": "walking on a winding path",
        "15": "pushing a cart",
        "16": "using stairs",
    },
    subjects=13,
    split=SubjectSplit.every_fifth(f"user{k:02d}" for k in range(1, 14)),
    converter="vtt_coniot",
    recordings=207,
    rows=None,
    # In a plot by others the hip's x has a mean of 1.87 of 2 (half g), and y and z of about 0.1.
    upright={"hip": (1.0, 0.0, 0.0)},
    zero_shot_only=True,
    notes="One recording for each activity and user, a minute each; activity 11 of user 6 is missing. The columns "
    "called trousers, back and hand are the hip, the back and the upper arm. The columns of acceleration say g, but "
    "rest is 2 there and values end at 4: they count half g. The converter therefore takes the scale, g or half g, "
    "from gravity, for each unit and recording. The archive's authors have brought the three units to common rows, "
    "about 6000 a minute, so 100 Hz (the sensors themselves ran at about 103 and 97 Hz). The magnetometers are not "
    "calibrated. Layout, names and labels are those that two public readers of the archive agree on, not verified on "
    "the archive itself; which columns it has beside the 27 that are read (time, pressure) is not known.",
)
