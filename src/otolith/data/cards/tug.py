"""The card of tug."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import six_axes

CARD = DatasetCard(
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
    channels=(*six_axes("front trouser pocket", "smartphone"), *six_axes("left wrist", "smartwatch")),
    activities={
        "SEATED": "sitting",
        "STANDING_UP": "standing up from sitting",
        "WALKING": "walking",
        "TURNING": "turning",
        "SITTING_DOWN": "sitting down",
    },
    subjects=23,
    split=SubjectSplit.every_fifth(f"s{k:02d}" for k in range(1, 24)),
    converter="tug",
    recordings=446,
    rows=505_027,
    # Mean over 23 people. The phone lies in the pocket any way round. That acceleration points up at rest is borne out
    # by executions_info.csv: about it, 890 of 892 turns are counterclockwise where that file says left, and else not.
    upright={"left wrist": (-0.96, -0.29, 0.04)},
    access="fetch the archive at https://zenodo.org/records/8398688 (its folder DATA holds the recordings)",
    notes="223 executions, each with both devices; a recording holds one device. Sampled at 102.4 Hz (phone) and 104.3 "
    "Hz (watch), brought to 100 Hz. The orientation of the phone in the pocket varies and is listed in the archive's "
    "executions_info.csv. The README does not name the placements; left front pocket and left wrist are taken from a "
    "description by others.",
)
