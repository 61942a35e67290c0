"""The card of motionsense."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import Channel, six_axes, triad

CARD = DatasetCard(
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
            direct=True,
        ),
    ),
    rate=50.0,
    channels=(
        *six_axes("front trouser pocket", "smartphone"),
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
    split=SubjectSplit.every_fifth(f"sub_{k}" for k in range(1, 25)),
    converter="motionsense",
    recordings=360,
    rows=1_412_865,
    # Mean over 24 people; the bottom of the phone looks up. Of 120 trials of walking and standing, two are reversed.
    upright={"front trouser pocket": (0.01, -1.0, 0.01)},
    zero_shot_only=True,
    notes="Core Motion splits acceleration into gravity and user acceleration; acc is their sum. A trial starts and "
    "ends with the phone put into and taken out of the pocket. Yaw is relative to an arbitrary direction.",
)
