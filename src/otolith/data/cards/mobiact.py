"""The card of mobiact."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import Channel, six_axes

CARD = DatasetCard(
    name="mobiact",
    title="MobiAct, second release (v2.0), annotated data",
    licence="database usage agreement of the BMI laboratory, to be signed: non-commercial research and education",
    citation="G. Vavoulas, C. Chatzaki, T. Malliotakis, M. Pediaditis, M. Tsiknakis: The MobiAct Dataset: Recognition "
    "of Activities of Daily Living using Smartphones. ICT4AWE 2016, 143-151. doi:10.5220/0005792401430151; second "
    "release: C. Chatzaki, M. Pediaditis, G. Vavoulas, M. Tsiknakis: Human Daily Activity and Fall Recognition Using a "
    "Smartphone's Acceleration Sensor. CCIS 736, 100-118, 2017. doi:10.1007/978-3-319-62704-5_7",
    sources=(
        Source(
            "https://bmi.hmu.gr/the-mobifall-and-mobiact-datasets-2/",
            note="the page describes MobiFall and MobiAct; this is MobiAct v2.0",
        ),
    ),
    rate=200.0,
    channels=(
        *six_axes("trouser pocket", "smartphone"),
        # Android's orientation sensor: turns about z, x and y.
        *(
            Channel(name, "orientation", axis, "trouser pocket", "smartphone")
            for name, axis in (("azimuth", "z"), ("pitch", "x"), ("roll", "y"))
        ),
    ),
    activities={
        "STD": "standing",
        "WAL": "walking",
        "JOG": "jogging",
        "JUM": "jumping",
        "STU": "walking upstairs",
        "STN": "walking downstairs",
        "SCH": "sitting down",
        "SIT": "sitting",
        "CHU": "standing up from sitting",
        "CSI": "getting into a car",
        "CSO": "getting out of a car",
        "LYI": "lying",
        "FOL": "falling forward",
        "FKL": "falling forward onto the knees",
        "BSC": "falling backward from a chair",
        "SDL": "falling sideways",
    },
    subjects=67,
    split=SubjectSplit.every_fifth(f"sub{k}" for k in range(1, 68)),
    converter="mobiact",
    recordings=None,
    rows=None,
    zero_shot_only=True,
    access="write to bmi@hmu.gr, the Biomedical Informatics and eHealth Laboratory of the Hellenic Mediterranean "
    "University, ask for MobiAct v2.0 (not MobiFall) and sign the database usage agreement that they send; a .rar must "
    "be unpacked by hand into the folder 'mobiact' of your archives, so that mobiact/MobiAct_Dataset_v2.0/Annotated "
    "Data lies there",
    notes="A Samsung Galaxy S3 in a pocket of the trousers, chosen and turned as the person liked; in falls it was on "
    "the side away from the fall. One recording for each trial or scenario, labelled row by row: a trial of a fall is "
    "standing, falling and lying. From the archive's own Readme.txt: 67 people, labels, sensors and units. Verified on "
    "a raw file, not on an annotated one: m/s^2 with gravity, cut off at 2 g. From public loaders, not from the "
    "archive itself: folders, names and columns of the annotated tables, and about 200 rows a second (the sensors ran "
    "as fast as they could, the accelerometer at about 100 Hz); they are laid on a grid of 200 Hz. The number of "
    "trials (said to be more than 3200) has not been counted. Raw data and the first release have no labels on "
    "their rows and are not read.",
)
