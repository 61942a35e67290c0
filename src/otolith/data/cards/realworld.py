"""The card of realworld."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import six_axes, triad

# In the order of the archive's names; the watch was on the forearm.
_POSITIONS = ("chest", "forearm", "head", "shin", "thigh", "upper arm", "waist")
_WATCH = "forearm"

CARD = DatasetCard(
    name="realworld",
    title="RealWorld (HAR) 2016",
    licence="none found stated; the University of Mannheim offers it for download",
    citation="T. Sztyler, H. Stuckenschmidt: On-body Localization of Wearable Devices: An Investigation of "
    "Position-Aware Activity Recognition. PerCom 2016, 1-9. doi:10.1109/PERCOM.2016.7456521",
    sources=(
        Source(
            "https://www.uni-mannheim.de/dws/research/projects/activity-recognition/dataset/dataset-realworld/",
            note="realworld2016_dataset.zip, whose address is a plain http one",
        ),
    ),
    rate=50.0,
    channels=tuple(
        channel
        for position in _POSITIONS
        for device in ("smartwatch" if position == _WATCH else "smartphone",)
        for prefix in (position.replace(" ", "_") + "_",)
        for channel in (*six_axes(position, device, prefix), *triad("mag", position, device=device, prefix=prefix))
    ),
    activities={
        "climbingdown": "walking downstairs",
        "climbingup": "walking upstairs",
        "jumping": "jumping",
        "lying": "lying",
        "running": "running",
        "sitting": "sitting",
        "standing": "standing",
        "walking": "walking",
    },
    subjects=15,
    split=SubjectSplit.every_fifth(f"proband{k}" for k in range(1, 16)),
    converter="realworld",
    recordings=None,
    rows=None,
    zero_shot_only=True,
    access="fetch http://wifo5-14.informatik.uni-mannheim.de/sensor/dataset/realworld2016/realworld2016_dataset.zip, "
    "the address that public loaders use (plain http, so not fetched unasked); unpacked by hand it belongs into the "
    "folder 'realworld' of your archives, so that realworld/proband1/data lies there, with the zip files within as "
    "they are",
    notes="One recording for each person, activity, part and position; those of one moment share a session, placed by "
    "the clocks of the devices, whose agreement is not verified. Verified on the two tables of proband1, walking, shin "
    "that the R package imuf carries: their layout, m/s^2 with gravity, rad/s, common axes of both sensors, 49.95 Hz, "
    "and that stamps come up to 1.5 s late, though nothing is lost; so they are laid on an even clock. From public "
    "loaders, not from the archive itself: the names of the other tables; three parts of climbingup and climbingdown "
    "in zips within zips for proband4, 7 and 14, hence 132 stretches of activity; a part numbered 2 that is the only "
    "one (proband4 and 13 walking, proband6 and 7 sitting, proband8 standing); no forearm in climbingup of proband2 "
    "and no thigh in jumping of proband6, which leaves 922 recordings. The magnetometer's unit is that of Android "
    "(uT). Forearm and shin are the archive's words; which side of the body is not known. That a "
    "watch was on the forearm and phones elsewhere is from the paper. Light, GPS and sound are left out.",
)
