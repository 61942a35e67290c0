"""The card of spar."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import six_axes

CARD = DatasetCard(
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
    channels=(*six_axes("left wrist", "smartwatch"), *six_axes("right wrist", "smartwatch")),
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
    split=SubjectSplit.every_fifth(f"subject{k:02d}" for k in range(10)),
    converter="spar",
    recordings=140,
    rows=244_102,
    # Means over 10 people and all exercises, none of which is lying down; there is no time of mere standing or walking.
    upright={"left wrist": (-0.82, -0.53, 0.23), "right wrist": (0.84, -0.49, 0.25)},
    package="seglearn",
    notes="Half of the study's 20 subjects. Each exercise was done on both sides, with the watch on the wrist of the "
    "exercising arm; the person is the unit of splitting, not the shoulder.",
)
