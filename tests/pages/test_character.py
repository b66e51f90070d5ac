"""The card of a finding and the scan's panel say what a nodule is like and how far it can be trusted."""

from __future__ import annotations

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse

from reports.nodules import nodules_of
from reports.study_page import is_stale
from tests.factories import DecisionFactory, FindingFactory, ReadingFactory, ReportFactory, StudyFactory

pytestmark = pytest.mark.django_db

PART_SOLID = {
    "type": "part_solid",
    "solid_long_axis_mm": 6.0,
    "solid_short_axis_mm": 4.2,
    "solid_mean_diameter_mm": 5.1,
    "calcification": "none",
    "fat": False,
    "spiculation": "marked",
    "margin": "poor",
    "third": "upper",
    "pleura": "near",
    "pleura_mm": 3.2,
    "confidence": "medium",
    "doubts": ["The edge of the outline is uncertain, and so are its measures."],
}


@pytest.fixture
def browser(client_of, radiologist):
    return client_of(radiologist)


def study_with(site, reading=None, **finding):
    study = StudyFactory(site=site, status="ready", with_reading=False)
    row = ReadingFactory(study=study, findings=0, **(reading or {}))
    FindingFactory(reading=row, number=1, **finding)
    return study


def page(browser, study):
    return " ".join(browser.get(reverse("study", args=[study.pk])).content.decode().split())


def test_the_card_says_what_the_nodule_is_like(browser, site):
    text = page(browser, study_with(site, **PART_SOLID))

    for words in (
        "Right lung, upper third",
        "solid part 5.1 mm (6.0 × 4.2)",
        "markedly spiculated · poorly defined margin",
        "no calcification · no fat",
        "near the pleura, 3 mm",
        "medium confidence",
        "The edge of the outline is uncertain",
    ):
        assert words in text


def test_an_older_reading_is_shown_without_statements(browser, site):
    text = page(browser, study_with(site))

    assert "Right lung</b>" in text
    for words in ("confidence</summary>", "no calcification", "the pleura", "no fat", "plain character"):
        assert words not in text


def test_the_card_says_why_there_is_no_volume_and_what_limits_density(browser, site):
    checks = [
        {"code": "W_NOVOL", "level": "WARN", "value": 2.5, "limit": 1.25, "sentence": "Diameters only."},
        {"code": "W_KERNEL", "level": "WARN", "value": "B70f", "limit": None, "sentence": "Sharp kernel."},
    ]
    text = page(browser, study_with(site, {"checks": checks}, volume_mm3=None, **PART_SOLID))

    assert '<abbr title="Diameters only.">no volume</abbr>' in text
    assert '<abbr title="Sharp kernel.">limited</abbr>' in text


def test_the_scan_says_what_made_its_probability_and_what_is_unlike_the_training(browser, site):
    flag = {"code": "U_NOISE", "sentence": "The images are noisy.", "value": 80.0, "low": 0.0, "high": 66.0}
    told = {"unfamiliar": [flag], "doubts": ["The images are noisy."], "confidence": "low"}
    text = page(browser, study_with(site, told, p_nodule=0.9, malignancy=0.5))

    assert "Made by finding 1 (.45)." in text
    assert "Unlike the training scans: The images are noisy." in text
    assert "Why low confidence" in text


def test_the_draft_says_only_what_was_seen(site):
    nodule = nodules_of(study_with(site, **PART_SOLID))[0]

    assert nodule.character == ("solid part 5.1 mm (6.0 × 4.2)", "markedly spiculated")
    assert nodule.record()["character"] == list(nodule.character)


@pytest.mark.parametrize("changed", [{"long_axis_mm": 9.0, "short_axis_mm": 5.0}, {"type": "solid"}])
def test_a_corrected_nodule_loses_the_networks_solid_part(site, radiologist, changed):
    study = study_with(site, **PART_SOLID)
    DecisionFactory(finding=study.findings.get(), kind="correct", person=radiologist, **changed)

    assert nodules_of(study)[0].character == ("markedly spiculated",)


def test_a_draft_saved_before_the_character_was_known_is_not_stale(site):
    study = study_with(site, **PART_SOLID)
    nodules = nodules_of(study)
    version = ReportFactory(study=study).versions.model(nodules=[n.record() for n in nodules])
    for key in ("character", "volume_note"):
        del version.nodules[0][key]

    assert not is_stale(version, nodules)
    version.nodules[0]["location"] = "left lung"
    assert is_stale(version, nodules)


def sensitivity(values):
    file = ContentFile(b"")
    np.savez_compressed(file, values=values)
    return default_storage.save("sensitivity/test/map", file)


def test_the_layer_of_sensitivity_is_offered_and_served_where_there_are_maps(browser, site):
    values = np.zeros((3, 12, 12), np.uint8)
    values[1, 4:8, 4:8], values[1, 5:7, 5:7] = 80, 255
    study = study_with(site, sensitivity=sensitivity(values), sensitivity_start=[100, 20, 30])
    reading = study.readings.get()
    address = reverse("study-outlines", args=[study.pk])

    said = browser.get(address, {"reading": reading.pk, "layer": "sensitivity"}).json()["findings"]

    polygons = said[str(study.findings.get().pk)]
    assert list(polygons) == ["101"]
    assert len(polygons["101"]) == 2
    assert min(polygons["101"][0][::2]) == pytest.approx(33.5)
    assert min(polygons["101"][0][1::2]) == pytest.approx(23.5)


def test_without_maps_there_is_no_such_layer(browser, site):
    study = study_with(site)

    assert "Sensitivity, not location" not in page(browser, study)
    said = browser.get(reverse("study-outlines", args=[study.pk]), {"layer": "sensitivity"}).json()
    assert said == {"findings": {}}
