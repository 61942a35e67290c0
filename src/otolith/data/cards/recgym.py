"""The card of recgym."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import NORMALISED, Channel, triad


def _unit(placement: str, prefix: str) -> tuple[Channel, ...]:
    """What one sensing unit gives, all of it scaled."""
    return (
        *triad("acc", placement, gravity=False, prefix=prefix, unit=NORMALISED),
        *triad("gyro", placement, prefix=prefix, unit=NORMALISED),
        Channel(f"{prefix}capacitance", "capacitance", "", placement, unit=NORMALISED),
    )


CARD = DatasetCard(
    name="recgym",
    title="RecGym: Gym Workouts Recognition Dataset with IMU and Capacitive Sensor",
    licence="CC BY 4.0",
    citation="S. Bian, V. Fortes Rey, S. Yuan, P. Lukowicz: The Contribution of Human Body Capacitance/Body-Area "
    "Electric Field To Individual and Collaborative Activity Recognition. arXiv:2210.14794, 2022; "
    "data: doi:10.24432/C5PW4K",
    sources=(
        Source(
            "https://www.kaggle.com/api/v1/datasets/download/zhaxidelebsz/10-gym-exercises-with-615-abstracted-features",
            note="the authors' own copy, named on their page https://zhaxidele.github.io/RecGym/",
            direct=True,
        ),
        Source(
            "https://archive.ics.uci.edu/dataset/1128/"
            "recgym:+gym+workouts+recognition+dataset+with+imu+and+capacitive+sensor-7",
            note="UCI dataset 1128; others found its archive damaged (the first 60 MB are zeros)",
        ),
    ),
    rate=20.0,
    channels=(*_unit("wrist", "wrist_"), *_unit("pocket", "pocket_"), *_unit("calf", "calf_")),
    activities={
        "Adductor": "hip adduction on a machine",
        "ArmCurl": "biceps curl",
        "BenchPress": "bench press",
        "LegCurl": "leg curl",
        "LegPress": "leg press",
        "Riding": "cycling on an exercise bike",
        "RopeSkipping": "jumping rope",
        "Running": "running",
        "Squat": "squat",
        "StairClimber": "climbing on a stair machine",
        "Walking": "walking",
    },
    subjects=10,
    split=SubjectSplit.every_fifth(f"subject{k:02d}" for k in range(1, 11)),
    converter="recgym",
    recordings=146,
    rows=4_703_320,
    notes="One recording for each subject, session and position, with the pauses (Null) unlabelled. All columns were "
    "scaled to 0..1 by their smallest and largest value before publication, so no physical unit can be restored. At "
    "rest all six axes of the IMU read 0.5, so that is taken off: zero is rest, and gravity is not in the "
    "acceleration. That is seen in plots and figures by others, not said by the authors. There are no timestamps; 20 "
    "Hz and the order of rows are believed. Whether the three units share a clock is not said, so they are not "
    "aligned. Counts are those of the Kaggle copy, counted by others (the UCI page has 4,432,070 rows, an older "
    "release); not verified here.",
)
