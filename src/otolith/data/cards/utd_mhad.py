"""The card of utd_mhad."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import six_axes

CARD = DatasetCard(
    name="utd_mhad",
    title="UTD Multimodal Human Action Dataset",
    licence="none stated; its authors call it freely available and ask for the citation",
    citation="C. Chen, R. Jafari, N. Kehtarnavaz: UTD-MHAD: A Multimodal Dataset for Human Action Recognition "
    "Utilizing a Depth Camera and a Wearable Inertial Sensor. ICIP 2015, 168-172. doi:10.1109/ICIP.2015.7350781",
    sources=(Source("https://www.utdallas.edu/~kehtar/UTD-MHAD.html", note="Inertial.zip, linked from this page"),),
    rate=50.0,
    channels=(*six_axes("right wrist", "inertial sensor"), *six_axes("right thigh", "inertial sensor")),
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
    split=SubjectSplit(
        test=("s2", "s4", "s6", "s8"),
        val=("s7",),
        official=True,
        note="odd people train and even ones test, as in the paper; s7 judges checkpoints",
    ),
    converter="utd_mhad",
    recordings=861,
    rows=155_638,
    notes="Sensor on the right wrist for actions 1 to 21, on the right thigh for 22 to 27. Values are cut off at 8 g "
    "and 1000 deg/s. Only the inertial modality is converted: skeleton, depth and video have clocks and units of their "
    "own and are left out.",
)
