"""The card of unimib_shar."""

from otolith.data.card import DatasetCard, Source, SubjectSplit
from otolith.data.channels import triad

CARD = DatasetCard(
    name="unimib_shar",
    title="UniMiB SHAR: University of Milano Bicocca Smartphone-based Human Activity Recognition",
    licence="none stated in the archive; its readme asks for the citation",
    citation="D. Micucci, M. Mobilio, P. Napoletano: UniMiB SHAR: A Dataset for Human Activity Recognition Using "
    "Acceleration Data from Smartphones. Applied Sciences 7(10), 1101, 2017. doi:10.3390/app7101101",
    sources=(
        Source(
            "https://www.dropbox.com/s/x2fpfqj0bpf8ep6/UniMiB-SHAR.zip?dl=1",
            note="the authors' page is http://www.sal.disco.unimib.it/technologies/unimib-shar/",
            direct=True,
        ),
    ),
    rate=50.0,
    channels=(
        *triad("acc", "right trouser pocket", device="smartphone", gravity=True),
        *triad("acc", "left trouser pocket", device="smartphone", gravity=True),
    ),
    activities={  # the archive's acc_names.mat, in its order
        "1": "standing up from sitting",
        "2": "standing up from lying",
        "3": "walking",
        "4": "running",
        "5": "walking upstairs",
        "6": "jumping",
        "7": "walking downstairs",
        "8": "lying down from standing",
        "9": "sitting down",
        "10": "falling forward",
        "11": "falling to the right",
        "12": "falling backward",
        "13": "falling after hitting an obstacle",
        "14": "falling with protection strategies",
        "15": "falling backward from a chair",
        "16": "fainting",
        "17": "falling to the left",
    },
    subjects=30,
    split=SubjectSplit.every_fifth(f"s{k:02d}" for k in range(1, 31)),
    converter="unimib_shar",
    recordings=11_771,
    rows=11_771 * 151,
    notes="Acceleration only. Each recording is one of the authors' windows of 3.02 s around a peak above 1.5 g, 7,579 "
    "of daily activities and 4,192 of falls. Windows of one trial may overlap, the archive does not say by how much: "
    "split by subject only. The readme gives the pocket: of two trials of a daily activity the first is with the phone "
    "in the right one, of six falls the first three. Not everyone did everything: 20 people have all 17 classes.",
)
