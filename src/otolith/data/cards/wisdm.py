"""The card of wisdm."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import six_axes

CARD = DatasetCard(
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
            direct=True,
        ),
    ),
    rate=20.0,
    channels=(*six_axes("front trouser pocket", "smartphone"), *six_axes("dominant wrist", "smartwatch")),
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
    split=SubjectSplit.every_fifth(str(k) for k in range(1600, 1651)),
    converter="wisdm",
    recordings=None,
    rows=None,
    # Mean over 8 of 51 people. The phone lies in the pocket either way up, so of it nothing can be said.
    upright={"dominant wrist": (0.94, -0.33, 0.09)},
    notes="One recording for each subject, device and activity. Accelerometer and gyroscope are sampled at their own "
    "times and merged on a grid of 20 Hz over the time that both cover; phone and watch have unrelated clocks. "
    "Acceleration is cut off at 2 g. The archive says that the phone was in a pocket and the watch on the dominant "
    "hand; that it was a front pocket of the trousers is seen in the numbers, where gravity turns with the thigh when "
    "the person sits. Counts of the full archive have not been verified (8 of 51 subjects have).",
)
