"""The card of utd_mhad."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import six_axes, skeleton

# In the order of the archive's Skeleton_joint_order.txt.
_LIMBS = ("shoulder", "elbow", "wrist", "hand"), ("hip", "knee", "ankle", "foot")
_JOINTS = (
    *("head", "shoulder centre", "spine", "hip centre"),
    *(f"{side} {joint}" for limb in _LIMBS for side in ("left", "right") for joint in limb),
)

CARD = DatasetCard(
    name="utd_mhad",
    title="UTD Multimodal Human Action Dataset",
    licence="none stated; its authors call it freely available and ask for the citation",
    citation="C. Chen, R. Jafari, N. Kehtarnavaz: UTD-MHAD: A Multimodal Dataset for Human Action Recognition "
    "Utilizing a Depth Camera and a Wearable Inertial Sensor. ICIP 2015, 168-172. doi:10.1109/ICIP.2015.7350781",
    sources=tuple(
        Source(
            f"https://personal.utdallas.edu/~kehtar/UTD-MAD/{kind}.zip",
            note="linked from https://www.utdallas.edu/~kehtar/UTD-MHAD.html; its server is known to send too few "
            "certificates: where that stops the download, fetch the file with a browser",
            direct=True,
        )
        for kind in ("Inertial", "Skeleton")
    ),
    rate=50.0,
    channels=(
        *six_axes("right wrist", "inertial sensor"),
        *six_axes("right thigh", "inertial sensor"),
        *skeleton(_JOINTS, "depth camera"),
    ),
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
    # Means over 8 people; at the wrist over all actions, in which the wearer stands. That acceleration points up at
    # rest is borne out by the fastest turn in swinging a bat or a racket: about this direction it is counterclockwise
    # in 54 of 64 trials, as with right-handed people.
    upright={"right wrist": (-0.85, -0.46, -0.26), "right thigh": (-0.94, -0.09, 0.34)},
    subjects=8,
    split=SubjectSplit(
        test=("s2", "s4", "s6", "s8"),
        val=("s7",),
        official=True,
        note="odd people train and even ones test, as in the paper; s7 judges checkpoints",
    ),
    converter="utd_mhad",
    recordings=1722,
    rows=248_089,
    other_rates={"position": 30.0},
    notes="Each of 861 trials (27 x 8 x 4, three are missing) is two recordings of one session: the inertial sensor at "
    "50 Hz, and the 20 joints that the Kinect saw, as in the archive's list of joints; y points up and z away from the "
    "camera. Sensor on the right wrist for actions 1 to 21, on the right thigh for 22 to 27. Values are cut off at 8 g "
    "and 1000 deg/s. The archive has 11 to 21 skeleton frames a second (58,299 in all), not the camera's 30, and no "
    "times for them: they are spread evenly over the inertial recording of the trial, which starts and ends with them "
    "(both at 0 s), and interpolated linearly to 30 Hz. The two agree within 0.04 s in the median and 0.12 s in nine "
    "of ten trials, as far as the gyroscope and the turning of the same limb can tell. Depth and video are left out.",
)
