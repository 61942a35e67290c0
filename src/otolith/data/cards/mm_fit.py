"""The card of mm_fit."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import Channel, six_axes, skeleton, triad

# The Human3.6M model in its own order: right leg, left leg, trunk, left arm, right arm. The table in the authors'
# notebook has left and right the other way round, but its figures show a person who faces the camera with the joints
# that the table calls left on the left of the picture, where one's right side is. The watches, whose sides are known,
# can settle it: tests/data/test_mm_fit.py asks them where the archive is at hand.
_JOINTS = (
    *("hip centre", "right hip", "right knee", "right foot", "left hip", "left knee", "left foot"),
    *("spine", "thorax", "neck", "head"),
    *("left shoulder", "left elbow", "left wrist", "right shoulder", "right elbow", "right wrist"),
)

CARD = DatasetCard(
    name="mm_fit",
    title="MM-Fit: full-body workouts with watches, phones, an earbud and a camera",
    licence="none stated for the archive; the authors' code is MIT",
    citation="D. Strömbäck, S. Huang, V. Radu: MM-Fit: Multimodal Deep Learning for Automatic Exercise Logging across "
    "Sensing Devices. Proc. ACM Interact. Mob. Wearable Ubiquitous Technol. 4(4), 168, 2020. doi:10.1145/3432701",
    sources=(
        Source(
            "https://s3.eu-west-2.amazonaws.com/vradu.uk/mm-fit.zip",
            note="the download of https://mmfit.github.io; about 1.7 GB",
            direct=True,
        ),
    ),
    rate=100.0,
    channels=(
        *six_axes("left wrist", "smartwatch", "left_watch_"),
        *six_axes("right wrist", "smartwatch", "right_watch_"),
        *six_axes("left trouser pocket", "smartphone", "left_phone_"),
        *triad("mag", "left trouser pocket", device="smartphone", prefix="left_phone_"),
        *six_axes("right trouser pocket", "smartphone", "right_phone_"),
        *triad("mag", "right trouser pocket", device="smartphone", prefix="right_phone_"),
        *six_axes("left ear", "earbud", "left_earbud_"),
        Channel("left_watch_heart_rate", "heart_rate", "", "left wrist", "smartwatch"),
        Channel("right_watch_heart_rate", "heart_rate", "", "right wrist", "smartwatch"),
        *skeleton(_JOINTS, "camera"),
    ),
    activities={
        "squats": "squat",
        "lunges": "lunge",
        "bicep_curls": "biceps curl",
        "situps": "sit-up",
        "pushups": "push-up",
        "tricep_extensions": "triceps extension",
        "dumbbell_rows": "dumbbell row",
        "jumping_jacks": "jumping jacks",
        "dumbbell_shoulder_press": "shoulder press",
        "lateral_shoulder_raises": "lateral shoulder raise",
        "non_activity": "other activity",
    },
    subjects=10,
    split=SubjectSplit(
        test=("p2", "p3", "p4", "p9"),
        val=("p8",),
        official=True,
        note="the people of the authors' unseen test, workouts w00, w05, w12, w13 and w20, test here too. The authors "
        "judge by w14, w15 and w19 and have a second test of w09 to w11; of these only w19 (p8) is of a person who "
        "does not also train, so it judges here and the other five train",
    ),
    converter="mm_fit",
    recordings=None,
    rows=None,
    other_rates={"heart_rate": 1.0, "position": 30.0},
    notes="Each of 21 workouts is one session of up to eight recordings, one a device, each in its own time on a "
    "common clock; people did one to six. Not every workout has every device. The two watches' heart rates give one "
    "frame of the camera the same time within 0.025 s in nine of ten samples. Rates vary: watches about 103 Hz, earbud "
    "91, phones 210 or 500 (magnetometer 100 or 65), all brought to 100 Hz; heart rate about once a second, the camera "
    "at most 30 frames a second with gaps where frames were lost. Between the sets people rest, walk and prepare: the "
    "official class non_activity. The skeleton is estimated from pictures, not measured, in millimetres: its size is "
    "that of the people from whom the estimator learned, and its place in the room, height above all, means nothing "
    "from one frame to the next, only joints relative to each other do. z points up, y away from the camera. Left and "
    "right follow Human3.6M, against the authors' table. The archive names sides only: that the phones were in trouser "
    "pockets is taken from descriptions by others. Of the archive only labels and heart rates were at hand when this "
    "was written, so no counts are stated.",
)
