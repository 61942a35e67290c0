"""The card of hhar."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import six_axes

CARD = DatasetCard(
    name="hhar",
    title="Heterogeneity Activity Recognition",
    licence="CC BY 4.0, as at the UCI repository",
    citation="A. Stisen, H. Blunck, S. Bhattacharya, T. S. Prentow, M. B. Kjærgaard, A. Dey, T. Sonne, M. M. Jensen: "
    "Smart Devices are Different: Assessing and Mitigating Mobile Sensing Heterogeneities for Activity Recognition. "
    "SenSys 2015, Seoul. doi:10.1145/2809695.2809718; data: doi:10.24432/C5689X",
    sources=(
        Source(
            "https://archive.ics.uci.edu/static/public/344/heterogeneity+activity+recognition.zip",
            note="UCI dataset 344, about 820 MB; the archive holds two more, of which Activity recognition exp.zip is "
            "used (777,127,275 bytes, sha256 d4c0c53b195b523859bf71f5a349d164c7a604a321ff6b0972fbed6e03b46582 as "
            "published by two of its users)",
            direct=True,
        ),
    ),
    # The pace of the slowest model, samsungold (50 to 64 Hz). Nexus 4 and LG watch give about 200 Hz, S3, S3 mini and
    # Gear about 100; people move below 20 Hz.
    rate=50.0,
    channels=(*six_axes("waist", "smartphone"), *six_axes("wrist", "smartwatch")),
    activities={
        "bike": "cycling",
        "sit": "sitting",
        "stand": "standing",
        "walk": "walking",
        "stairsup": "walking upstairs",
        "stairsdown": "walking downstairs",
    },
    subjects=9,
    split=SubjectSplit.every_fifth("abcdefghi"),
    converter="hhar",
    recordings=None,
    rows=None,
    notes="One recording for each stretch of a person and a device (8 phones, 4 watches, all worn at once) without a "
    "gap of 2 s; everything is brought to 50 Hz. Published are 43,930,257 rows (phones 13,062,475 of the accelerometer "
    "and 13,932,632 of the gyroscope, watches 3,540,962 and 3,205,431). The two samsungold phones have no gyroscope. "
    "Creation_Time is in nanoseconds from a beginning of each device's own; on s3 and s3mini it stands still while the "
    "phone sleeps, by 1 to 5 minutes within half an hour, and on s3mini_2, which slept nearly all the time, by half an "
    "hour. So samples are placed by Arrival_Time, with Creation_Time taking out how late each arrived. Clocks of "
    "different devices agree to seconds only. Placements as in the paper: phones in a tight pouch around the waist, "
    "two watches on each arm; which watch was on which arm is not published. The class null is not labelled. Counts of "
    "recordings have not been verified.",
)
