"""The card of ku_har."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import triad

_SUBJECTS = (*(str(k) for k in range(1001, 1091) if k not in (1012, 1059)), "1101")

CARD = DatasetCard(
    name="ku_har",
    title="KU-HAR: An Open Dataset for Heterogeneous Human Activity Recognition",
    licence="CC BY 4.0 at Mendeley Data; the authors' README: free to download, modify and use",
    citation="N. Sikder, A.-A. Nahid: KU-HAR: An open dataset for heterogeneous human activity recognition. Pattern "
    "Recognition Letters 146, 46-54, 2021. doi:10.1016/j.patrec.2021.02.024; data: doi:10.17632/45f952y38r.5",
    sources=(
        Source(
            "https://data.mendeley.com/public-files/datasets/45f952y38r/files/"
            "d3126562-b795-4eba-8559-310a25859cc7/file_downloaded",
            note="1.Raw_time_domian_data.zip (spelt so) of version 5 at https://data.mendeley.com/datasets/45f952y38r/5",
            direct=True,
        ),
    ),
    rate=100.0,
    channels=(
        *triad("acc", "waist", device="smartphone", gravity=False),
        *triad("gyro", "waist", device="smartphone"),
    ),
    activities={
        "Stand": "standing",
        "Sit": "sitting",
        "Talk-sit": "sitting and talking",
        "Talk-stand": "standing and talking",
        "Stand-sit": "sitting down and standing up repeatedly",
        "Lay": "lying",
        "Lay-stand": "lying down and standing up repeatedly",
        "Pick": "picking up objects",
        "Jump": "jumping",
        "Push-up": "push-up",
        "Sit-up": "sit-up",
        "Walk": "walking",
        "Walk-backwards": "walking backward",
        "Walk-circle": "walking in a circle",
        "Run": "running",
        "Stair-up": "walking upstairs",
        "Stair-down": "walking downstairs",
        "Table-tennis": "playing table tennis",
    },
    subjects=89,
    split=SubjectSplit.every_fifth(_SUBJECTS),
    converter="ku_har",
    recordings=1945,
    rows=None,
    notes="One recording for each file. The authors speak of 90 people; the file names of the raw recordings have 89 "
    "numbers (1001 to 1090 without 1012 and 1059, and 1101). Gravity was removed by the phone (README), so no rest "
    "magnitude can show a wrong unit. Accelerometer and gyroscope have their own times and are merged on a grid of 100 "
    "Hz. These are the untrimmed recordings: the first and last seconds may hold something else than the activity; the "
    "trimmed ones (2.Trimmed_interpolated_raw_data) are padded with zeros, and the subsamples name no person. Not "
    "verified on the archive itself: the placement, which is from a description by others, the number of samples, and "
    "whether every file keeps to about 100 Hz.",
)
