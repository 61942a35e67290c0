from __future__ import annotations

from collections import defaultdict

import pytest

from otolith.data.labels import TEMPLATES, VOCABULARY, canonical, group_of, resolve, sentences
from otolith.types import DataError

# What each public dataset asks for, in its own words or the nearest plain ones.
WANTED = {
    "uci_har": "walking, walking upstairs, WALKING_DOWNSTAIRS, SITTING, STANDING, LAYING",
    "hapt": "stand to sit, sit_to_stand, SIT_TO_LIE, LIE_TO_SIT, STAND_TO_LIE, LIE_TO_STAND",
    "hhar": "bike, sit, stand, walk, stairsup, stairsdown, null",
    "mhealth": "standing still, sitting and relaxing, climbing stairs, waist bends forward, frontal elevation of arms, "
    "knees bending, cycling, jogging, running, jump front & back",
    "pamap2": "lying, nordic walking, watching tv, computer work, car driving, ascending stairs, descending stairs, "
    "vacuum cleaning, ironing, folding laundry, house cleaning, playing soccer, rope jumping",
    "wisdm": "walking, jogging, stairs, sitting, standing, typing, teeth, soup, chips, pasta, drinking, sandwich, "
    "kicking, catch, dribbling, writing, clapping, folding",
    "unimib_shar": "standing up from sitting, standing up from lying, running, jumping, lying down from standing, "
    "sitting down, falling forward, falling to the right, falling backward, hitting obstacle, falling with ps, "
    "falling backward sitting chair, syncope, falling to the left",
    "dsads": "lying on the back, lying on the right side, standing in an elevator, moving around in an elevator, "
    "walking in a parking lot, walking on a treadmill, walking uphill on a treadmill, running on a treadmill, stepper, "
    "cross trainer, cycling in horizontal position, cycling in vertical position, rowing, playing basketball",
    "ku_har": "stand, sit, talk-sit, talk-stand, stand-sit, lay, lay-stand, pick, jump, push-up, sit-up, walk, "
    "walk-backward, walk-circle, run, stair-up, stair-down, table-tennis",
    "recgym": "adductor, arm curl, bench press, leg curl, leg press, null, riding, rope skipping, running, squat, "
    "stair climber, walking",
    "realworld": "climbing down, climbing up, jumping, lying, standing, sitting, running, walking",
    "mobiact": "sit chair, chair up, car-step in, car-step out, forward-lying, front-knees-lying, back-sitting-chair, "
    "sideward-lying",
    "vtt_coniot": "roll painting, spraying paint, leveling paint, vacuum cleaning, picking objects, climbing stairs, "
    "jumping down, laying back, hands up high, hands up low, crouch floor, kneel floor, "
    "walk straight=walking straight, walk winding, pushing cart, stairs up and down",
    "utd_mhad": "swipe left, swipe right, wave, clap=clapping, throw, arm cross, basketball shoot, draw x, "
    "draw circle clockwise, draw circle counter clockwise, draw triangle, bowling, boxing, baseball swing, "
    "tennis swing, arm curl, tennis serve, push, knock, catch an object=catching an object, pickup and throw, "
    "jogging in place, walking in place, sit to stand, stand to sit, lunge, squat",
    "mm_fit": "squats, lunges, bicep_curls, situps, pushups, tricep_extensions, dumbbell_rows, jumping_jacks, "
    "dumbbell_shoulder_press, lateral_shoulder_raises, non_activity",
    "spar": "pendulum, abduction, forward elevation, internal rotation, external rotation, trapezius extension, "
    "bent over row",
    "tug": "seated, standing up, walking, turning, sitting down",
}
BASIC = ("walking", "walking upstairs", "walking downstairs", "sitting", "standing", "lying")
SPAR = ("shoulder pendulum", "shoulder abduction", "forward elevation", "internal rotation", "external rotation",
        "trapezius row", "bent over row")  # fmt: skip


@pytest.mark.parametrize("dataset", WANTED)
def test_every_activity_of_the_public_datasets_has_a_label(dataset: str):
    for name in WANTED[dataset].split(", "):
        assert canonical(name.split("=")[-1]) in VOCABULARY


def test_no_name_means_two_activities():
    meanings = defaultdict(set)
    for activity in VOCABULARY.values():
        for name in (activity.label, *activity.synonyms):
            meanings[" ".join(name.casefold().replace("-", " ").split())].add(activity.label)
    assert {name: labels for name, labels in meanings.items() if len(labels) > 1} == {}


def test_every_name_leads_back_to_its_activity():
    for activity in VOCABULARY.values():
        for name in (activity.label, *activity.synonyms):
            assert canonical(name) == canonical(name.upper().replace(" ", "_")) == activity.label


def test_every_activity_is_described_in_one_sentence_of_its_own():
    described = [activity.description for activity in VOCABULARY.values()]
    assert len(set(described)) == len(described)
    for text in described:
        assert text.startswith(("The person", "With "))
        assert text.endswith(".") and ". " not in text
        assert 30 < len(text) < 160


def test_labels_and_names_are_clean():
    for label, activity in VOCABULARY.items():
        assert label == activity.label
        for name in (label, activity.group, *activity.synonyms):
            assert name and name == name.strip().lower()
            assert ";" not in name and "," not in name
        assert len(set(activity.synonyms)) == len(activity.synonyms)


@pytest.mark.parametrize("labels", [BASIC, SPAR])
def test_activities_that_a_dataset_tells_apart_are_in_groups_of_their_own(labels: tuple[str, ...]):
    """Members of a group are no negatives of each other in training, so a shared group would blur them."""
    assert len({group_of(label) for label in labels}) == len(labels)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("jogging", "running"),
        ("eating soup", "eating pasta"),
        ("fainting", "falling forward"),
        ("sit to stand", "lie to sit"),
    ],
)
def test_varieties_share_a_group(one: str, other: str):
    assert group_of(one) == group_of(other)


def test_sentences_say_every_name_and_describe_the_motion():
    said = sentences("jog")
    assert set(said) == {
        *(template.format(name) for template in TEMPLATES for name in ("jogging", "jog", "slow running")),
        VOCABULARY["jogging"].description,
    }
    assert len(said) == len(set(said))


def test_an_activity_of_the_users_own_speaks_for_itself():
    assert resolve("Juggling_Three-Balls") == "juggling three balls"
    assert group_of("Juggling_Three-Balls") == "juggling three balls"
    assert sentences("juggling") == [template.format("juggling") for template in TEMPLATES]


def test_a_known_activity_is_resolved_to_its_label():
    assert resolve("SIT_TO_STAND") == canonical("SIT_TO_STAND") == "standing up from sitting"


def test_unknown_activity_names_the_nearest():
    with pytest.raises(DataError, match="unknown activity 'walkin': did you mean 'walking'"):
        canonical("walkin")


def test_empty_activity_is_refused():
    with pytest.raises(DataError, match="unknown activity ''"):
        canonical("")
