"""What a nodule is like goes into the database and out of the API; older rows stay silent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from django.urls import reverse

from accounts.models import Person
from inference import jobs, results
from inference.cnn.reading import Character, Doubt, SensitivityMap, SolidPart, Unfamiliar, VolumeReading
from inference.models import Finding, Job
from tests.factories import FindingFactory, ReadingFactory, StudyFactory
from tests.inference.test_jobs import SAID, built, nodule, planned

__all__ = ["planned"]

pytestmark = pytest.mark.django_db

CHARACTER = Character(
    solid=SolidPart(6.0, 4.2, 5.1),
    calcification="central",
    calcified_share=0.31,
    fat=False,
    spiculation="marked",
    margin="poor",
    third="upper",
    pleura="near",
    pleura_mm=3.2,
    traits={"spiculation": 4.1, "margin": 2.0},
)
FLAG = Unfamiliar("U_NOISE", "The images are noisier than 99 of 100 training slices.", 80.0, 0.0, 66.0)
MAP = SensitivityMap((30, 28, 18), np.arange(27, dtype=np.uint8).reshape(3, 3, 3))


def written(job: Job, said: VolumeReading) -> Finding:
    taken = jobs.claim_next()
    assert taken is not None
    results.write(taken, said, built(job))
    return Finding.objects.get(number=1)


def test_the_character_survives_the_database(planned: Job) -> None:
    doubt = Doubt("low", ("The networks disagree on how suspicious it is.",))
    found = nodule(type="part_solid", character=CHARACTER, doubt=doubt, sensitivity=MAP)
    said = replace(SAID, findings=(found,), doubts=("Noisy.",), unfamiliar=(FLAG,))

    row = written(planned, said)

    assert (row.solid_long_axis_mm, row.solid_short_axis_mm, row.solid_mean_diameter_mm) == (6.0, 4.2, 5.1)
    assert (row.calcification, row.calcified_share, row.fat) == ("central", 0.31, False)
    assert (row.spiculation, row.margin, row.traits) == ("marked", "poor", dict(CHARACTER.traits))
    assert (row.third, row.pleura, row.pleura_mm) == ("upper", "near", 3.2)
    assert (row.confidence, row.doubts) == ("low", list(doubt.reasons))
    assert (results.sensitivity_of(row) == MAP.values).all()
    assert row.sensitivity_start == [30, 28, 18]
    assert row.reading.doubts == ["Noisy."]
    assert row.reading.unfamiliar[0]["code"] == "U_NOISE"


def test_a_reading_without_statements_leaves_the_columns_empty(planned: Job) -> None:
    row = written(planned, SAID)

    assert (row.calcification, row.fat, row.third, row.confidence, row.sensitivity) == ("", None, "", "", "")
    assert row.solid_mean_diameter_mm is None


@pytest.fixture
def finding(site: object) -> Finding:
    study = StudyFactory(site=site, status="ready", with_reading=False)
    checks = [
        {"code": "W_NOVOL", "level": "WARN", "value": 2.5, "limit": 1.25, "sentence": "Diameters only."},
        {
            "code": "W_CONTRAST",
            "level": "WARN",
            "value": "yes",
            "limit": None,
            "sentence": "Contrast enhanced.",
        },
    ]
    reading = ReadingFactory(
        study=study, findings=0, checks=checks, unfamiliar=[vars(FLAG)], doubts=["Noisy."]
    )
    return FindingFactory(
        reading=reading,
        number=1,
        volume_mm3=None,
        calcification="diffuse",
        third="lower",
        confidence="medium",
        doubts=["The edge of the outline is uncertain, and so are its measures."],
        traits={"margin": 4.0},
    )


def test_the_api_says_what_a_finding_is_like_and_why_there_is_no_volume(
    radiologist: Person, api_of: object, finding: Finding
) -> None:
    said = api_of(radiologist).get(reverse("api-finding-detail", args=[finding.pk])).json()  # type: ignore[operator]

    assert (said["volume_mm3"], said["volume_note"]) == (None, "Diameters only.")
    assert (said["calcification"], said["density_note"]) == ("diffuse", "Contrast enhanced.")
    assert (said["third"], said["traits"]) == ("lower", {"margin": 4.0})
    assert (said["confidence"], len(said["doubts"])) == ("medium", 1)
    assert (said["fat"], said["spiculation"], said["sensitivity_url"]) == (None, "", None)


def test_the_api_names_what_made_the_scan_probability(
    radiologist: Person, api_of: object, finding: Finding
) -> None:
    FindingFactory(reading=finding.reading, number=2, p_nodule=0.5, malignancy=0.1)

    said = api_of(radiologist).get(reverse("api-reading-detail", args=[finding.reading_id])).json()  # type: ignore[operator]

    assert [one["number"] for one in said["contributions"]] == [1, 2]
    assert said["contributions"][1]["suspicion"] == pytest.approx(0.05)
    assert said["unfamiliar"][0]["sentence"] == FLAG.sentence
    assert said["doubts"] == ["Noisy."]


def test_a_map_of_sensitivity_is_served_where_there_is_one(
    radiologist: Person, api_of: object, planned: Job
) -> None:
    row = written(planned, replace(SAID, findings=(nodule(sensitivity=MAP), nodule())))
    address = reverse("api-finding-sensitivity", args=[row.pk])
    other = Finding.objects.get(number=2)

    answer = api_of(radiologist).get(address)  # type: ignore[operator]

    assert answer.status_code == 200
    assert answer["X-Mask-Start"] == "30,28,18"
    missing = api_of(radiologist).get(reverse("api-finding-sensitivity", args=[other.pk]))  # type: ignore[operator]
    assert missing.status_code == 404


def test_a_stranger_gets_no_map(stranger: Person, api_of: object, planned: Job) -> None:
    row = written(planned, replace(SAID, findings=(nodule(sensitivity=MAP),)))

    assert api_of(stranger).get(reverse("api-finding-sensitivity", args=[row.pk])).status_code == 404  # type: ignore[operator]
