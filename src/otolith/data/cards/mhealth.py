"""The card of mhealth."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import NORMALISED, Channel, triad

_DEVICE = "inertial sensor"

CARD = DatasetCard(
    name="mhealth",
    title="MHEALTH (mobile health)",
    licence="CC BY 4.0, as at the UCI repository",
    citation="O. Banos, R. Garcia, J. A. Holgado-Terriza, M. Damas, H. Pomares, I. Rojas, A. Saez, C. Villalonga: "
    "mHealthDroid: A Novel Framework for Agile Development of Mobile Health Applications. IWAAL 2014, LNCS 8868, "
    "91-98. doi:10.1007/978-3-319-13105-4_14; data: doi:10.24432/C5TW22",
    sources=(
        Source(
            "https://archive.ics.uci.edu/static/public/319/mhealth+dataset.zip", note="UCI dataset 319", direct=True
        ),
    ),
    rate=50.0,
    channels=(
        *triad("acc", "chest", device=_DEVICE, gravity=True, prefix="chest_"),
        Channel("ecg_1", "ecg", "", "chest", "lead 1"),
        Channel("ecg_2", "ecg", "", "chest", "lead 2"),
        *(
            channel
            for placement in ("left ankle", "right wrist")
            for prefix in (placement.replace(" ", "_") + "_",)
            for channel in (
                *triad("acc", placement, device=_DEVICE, gravity=True, prefix=prefix),
                *triad("mag", placement, device=_DEVICE, prefix=prefix, unit=NORMALISED),
                *triad("gyro", placement, device=_DEVICE, prefix=prefix),
            )
        ),
    ),
    activities={
        "1": "standing",
        "2": "sitting",
        "3": "lying",
        "4": "walking",
        "5": "walking upstairs",
        "6": "bending forward",
        "7": "raising both arms forward",
        "8": "bending the knees",
        "9": "cycling",
        "10": "jogging",
        "11": "running",
        "12": "jumping forward and back",
    },
    subjects=10,
    split=SubjectSplit.every_fifth(f"subject{k}" for k in range(1, 11)),
    converter="mhealth",
    recordings=10,
    rows=1_215_745,
    # Means of subject 10 and rows of subjects 1, 2 and 8 in public reports, standing still and walking.
    upright={"chest": (-1.0, 0.0, 0.0), "left ankle": (0.0, -1.0, 0.0), "right wrist": (-0.29, -0.95, 0.12)},
    notes="One recording for each person; about 28 % of it is labelled. The README calls columns 9 to 11 and 18 to 20 "
    "gyroscopes in deg/s, 12 to 14 and 21 to 23 magnetometers. The numbers say the reverse, and so they are read: see "
    "the converter. The magnetometer is in units of the local field ('local' in the driver of the Shimmer2), so its "
    "scale is lost; it often stays the same for several samples. Its sign is reversed: at rest it makes a cosine of "
    "0.7 to 0.8 with what the accelerometer feels, where in the south of Spain the Earth's field points down by 51 "
    "degrees (-0.78). That it is not the accelerometer which is reversed is taken from the makers: their guide has "
    "gravity positive on the axis that points up, and their default alignment of this magnetometer mirrors it "
    "(determinant -1). So the chest's x and the limbs' y axis point to the ground. Acceleration is cut off at about "
    "22 m/s^2. The wrist is the README's word, which also says right lower arm. Counts are those that users of the "
    "archive report; the archive itself has not been looked at, only some of its rows and statistics.",
)
