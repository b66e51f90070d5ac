"""The study page: what the machine said, decisions, the report, the images."""

from __future__ import annotations

import io
import json
import re
import zlib

import numpy as np
import pytest
from django.urls import reverse

from inference.models import Job
from reports.models import Decision, Report
from scans.dicom.geometry import Geometry
from scans.dicom.volume import BuiltVolume, volume_digest
from scans.dicom.volume_file import write_volume
from scans.models import Study
from scans.storage import put
from tests.factories import (
    PASSWORD,
    FindingFactory,
    JobFactory,
    PersonFactory,
    ReadingFactory,
    SeriesFactory,
    StudyFactory,
    VolumeFactory,
)

pytestmark = pytest.mark.django_db

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def study(site):
    return StudyFactory(site=site, ready=True)


@pytest.fixture
def browser(radiologist, client_of):
    return client_of(radiologist)


def page(browser, study):
    return browser.get(reverse("study", args=[study.pk])).content.decode()


def test_it_shows_probability_findings_and_the_research_line(browser, study):
    text = page(browser, study)
    assert ".81" in text
    assert "13.0 × 9.4 mm" in text
    assert "malignancy .62 (.41–.79)" in text
    assert "3 undecided" in text
    assert "Research use only. A radiologist decides." in text


def test_figures_that_are_not_measured_are_not_claimed(browser, study):
    assert "has not been measured" in page(browser, study)


def test_the_number_of_queries_does_not_grow_with_the_findings(site, browser, django_assert_num_queries):
    few, many = StudyFactory(site=site, ready=True), StudyFactory(site=site, ready=True)
    for number in range(4, 30):
        FindingFactory(reading=many.readings.get(), number=number)
    page(browser, few)
    with django_assert_num_queries(len(_queries(browser, few))):
        page(browser, many)


def _queries(browser, study):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as seen:
        page(browser, study)
    assert len(seen) <= 45
    return seen


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"kind": "accept"}, "accepted"),
        ({"kind": "reject", "reason": "vessel"}, "rejected"),
        ({"kind": "correct", "long_axis_mm": "14.5", "location": "right upper lobe"}, "corrected"),
    ],
)
def test_a_decision_answers_with_the_findings_as_they_stand(said, status, browser, study):
    finding = study.findings.first()
    answer = browser.post(reverse("finding-decide", args=[finding.pk]), said, **HTMX)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert f'id="nodule-1" data-number="1" data-status="{status}"' in text
    assert "2 undecided" in text
    assert Decision.objects.get().kind == said["kind"]


def test_without_a_script_a_decision_leads_back_to_the_page(browser, study):
    answer = browser.post(reverse("finding-decide", args=[study.findings.first().pk]), {"kind": "accept"})
    assert answer["Location"] == reverse("study", args=[study.pk])


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"kind": "reject"}, "Say why this finding is rejected."),
        ({"kind": "correct"}, "Change the size, the type or the place"),
        ({"kind": "correct", "long_axis_mm": "5"}, "The short axis cannot be longer"),
        ({"kind": "correct", "long_axis_mm": "nonsense"}, "Enter a number."),
        ({"kind": "delete"}, "Select a valid choice"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused_with_a_sentence(said, sentence, browser, study):
    answer = browser.post(reverse("finding-decide", args=[study.findings.first().pk]), said, **HTMX)
    assert answer.status_code == 400
    assert answer["HX-Retarget"] == "#notices"
    assert sentence in answer.content.decode()
    assert not Decision.objects.exists()


def test_the_rest_is_rejected_in_one_go_each_with_its_own_decision(browser, study):
    first = study.findings.first()
    browser.post(reverse("finding-decide", args=[first.pk]), {"kind": "accept"})
    browser.post(reverse("reject-rest", args=[study.pk]), {"reason": "scar"}, **HTMX)
    kinds = list(Decision.objects.order_by("id").values_list("kind", "reason"))
    assert kinds == [("accept", ""), ("reject", "scar"), ("reject", "scar")]


NODULE = {
    "slice_index": 100,
    "x_mm": 40,
    "y_mm": 12,
    "z_mm": -150,
    "long_axis_mm": 6.2,
    "short_axis_mm": 5,
    "type": "solid",
    "location": "left upper lobe",
}


def test_a_missed_nodule_is_added_corrected_and_withdrawn(browser, study):
    added = browser.post(reverse("nodule-add", args=[study.pk]), NODULE, **HTMX)
    assert "added by Radiologist North" in added.content.decode()
    address = reverse("nodule-revise", args=[Decision.objects.get(kind="add").pk])
    text = browser.post(address, {"kind": "correct", "long_axis_mm": 7}, **HTMX).content.decode()
    assert "7.0 × 5.0 mm" in text
    assert (
        "withdrawn" in browser.post(address, {"kind": "reject", "reason": "other"}, **HTMX).content.decode()
    )


@pytest.mark.parametrize(
    "wrong",
    [{"short_axis_mm": 9}, {"location": ""}, {"slice_index": 4000}, {"long_axis_mm": "nan"}, {"x_mm": "inf"}],
)
def test_a_nodule_that_makes_no_sense_comes_back_as_form(wrong, browser, study):
    answer = browser.post(reverse("nodule-add", args=[study.pk]), {**NODULE, **wrong}, **HTMX)
    assert answer.status_code == 422
    assert answer["HX-Retarget"] == "#add-body"
    assert not Decision.objects.exists()


def test_a_running_study_is_asked_about_until_it_is_settled(site, browser):
    study = StudyFactory(site=site, status="reading", stage="lungs", progress=0.25)
    assert "every 2s" in page(browser, study)
    address = reverse("study-status", args=[study.pk])
    answer = browser.get(address, **HTMX)
    assert "lungs · 25 %" in answer.content.decode()
    assert "HX-Refresh" not in answer
    Study.objects.update(status="ready")
    answer = browser.get(address, **HTMX)
    assert answer["HX-Refresh"] == "true"
    assert "hx-trigger" not in answer.content.decode()


def test_a_refused_series_says_why_and_offers_to_read_it_anyway(site, browser, technician, client_of):
    study = StudyFactory(site=site, not_read=True)
    series = SeriesFactory(study=study, refused=True)
    text = page(browser, study)
    assert "Slices of 8.0 mm are too thick for nodule analysis." in text
    assert reverse("read-anyway", args=[series.pk]) in text
    assert reverse("read-anyway", args=[series.pk]) not in page(client_of(technician), study)
    assert client_of(technician).post(reverse("read-anyway", args=[series.pk])).status_code == 403


def test_a_failed_job_can_be_tried_again_and_a_waiting_one_cancelled(site, browser):
    study = StudyFactory(site=site, failed=True)
    job = JobFactory(volume=VolumeFactory(series=SeriesFactory(study=study)), state="failed")
    assert reverse("job-retry", args=[job.pk]) in page(browser, study)
    other = StudyFactory(site=site, status="waiting")
    waiting = JobFactory(volume=VolumeFactory(series=SeriesFactory(study=other)))
    assert reverse("job-cancel", args=[waiting.pk]) in page(browser, other)
    browser.post(reverse("job-cancel", args=[waiting.pk]))
    assert Job.objects.get(pk=waiting.pk).state == "cancelled"


def decided(browser, study):
    browser.post(reverse("reject-rest", args=[study.pk]), {"reason": "vessel"})
    browser.post(reverse("report-open", args=[study.pk]))
    return Report.objects.get()


def texts(report, **changed):
    version = report.versions.latest()
    sections = {name: getattr(version, name) for name in version.SECTIONS}
    return {"revision": version.revision, **sections, **changed}


def save(browser, report, **changed):
    return browser.post(
        reverse("report-save", args=[report.pk]), texts(report, **changed), HTTP_ACCEPT="application/json"
    )


def test_a_draft_is_saved_and_signed(browser, study):
    report = decided(browser, study)
    assert save(browser, report, impression="Nothing suspicious.").json()["revision"] == 2
    answer = browser.post(
        reverse("report-sign", args=[report.pk]), {"revision": 2, "password": PASSWORD}, **HTMX
    )
    assert answer["HX-Refresh"] == "true"
    text = page(browser, study)
    assert "Signed by Radiologist North" in text
    assert "Nothing suspicious." in text
    assert reverse("finding-decide", args=[study.findings.first().pk]) not in text


@pytest.mark.parametrize(
    ("password", "sentence"), [("wrong", "This is not your password"), ("", "Enter your password.")]
)
def test_a_wrong_password_signs_nothing(password, sentence, browser, study):
    report = decided(browser, study)
    answer = browser.post(
        reverse("report-sign", args=[report.pk]), {"revision": 1, "password": password}, **HTMX
    )
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert Report.objects.get().state == "draft"


def test_who_saves_second_is_told_and_overwrites_nothing(browser, study, site, client_of):
    report = decided(browser, study)
    colleague = client_of(PersonFactory(role="radiologist", site=site, name="Colleague"))
    old = texts(report)
    save(colleague, report, impression="Theirs.")
    answer = browser.post(
        reverse("report-save", args=[report.pk]),
        {**old, "impression": "Mine."},
        HTTP_ACCEPT="application/json",
    )
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("Colleague saved this report")
    assert report.versions.latest().impression == "Theirs."
    editing = browser.get(reverse("report-editing", args=[report.pk])).content.decode()
    assert "Colleague is editing this report too" in editing


def test_decisions_after_the_text_was_saved_are_pointed_out(browser, study):
    decided(browser, study)
    assert "Decisions have changed" not in page(browser, study)
    answer = browser.post(
        reverse("finding-decide", args=[study.findings.first().pk]), {"kind": "accept"}, **HTMX
    )
    assert "Decisions have changed since this text was saved." in answer.content.decode()


def test_an_addendum_needs_text_and_password(browser, study):
    report = decided(browser, study)
    browser.post(reverse("report-sign", args=[report.pk]), {"revision": 1, "password": PASSWORD})
    address = reverse("report-addendum", args=[report.pk])
    assert browser.post(address, {"text": "", "password": PASSWORD}, **HTMX).status_code == 422
    assert browser.post(address, {"text": "Later.", "password": "no"}, **HTMX).status_code == 422
    assert browser.post(address, {"text": "Later.", "password": PASSWORD}, **HTMX).status_code == 204
    assert "Later." in page(browser, study)


def test_outlines_lie_around_the_voxels_of_the_mask(browser, study):
    reading = study.readings.get()
    address = reverse("study-outlines", args=[study.pk])
    answer = browser.get(address, {"reading": str(reading.pk)})
    assert "immutable" in answer["Cache-Control"]
    outline = answer.json()["findings"][str(study.findings.first().pk)]
    assert set(outline) == {"148", "149", "150", "151", "152"}
    x, y = np.array(outline["150"][0]).reshape(-1, 2).T
    assert (x.min(), x.max()) == (164.5, 173.5)
    assert (y.min(), y.max()) == (259.5, 268.5)


def test_outlines_of_a_reading_of_another_study_are_not_given(browser, study, site):
    other = StudyFactory(site=site, ready=True).readings.get()
    answer = browser.get(reverse("study-outlines", args=[study.pk]), {"reading": str(other.pk)})
    assert answer.json() == {"findings": {}}


def viewer(text):
    return json.loads(re.search(r'id="viewer-series" type="application/json">(.*?)</script>', text).group(1))


def test_the_slice_browser_knows_where_findings_lie(browser, study):
    shown = viewer(page(browser, study))
    assert shown["count"] == 200
    first = shown["findings"][0]
    assert first["slice"] == 150
    assert first["column"] == pytest.approx((-59 + 179) / 0.7, abs=0.01)
    assert first["row"] == pytest.approx((10 + 179) / 0.7, abs=0.01)


@pytest.fixture
def pixels():
    return np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5) - 1000


@pytest.fixture
def volume(study, pixels):
    geometry = Geometry((3, 4, 5), (1.0, 0.7, 0.7), (0.0, 0.0, 0.0))
    digest = volume_digest(pixels, geometry)
    file = io.BytesIO()
    write_volume(file, BuiltVolume(pixels, geometry, digest, ("1", "2", "3"), (1, 2, 3), (0.0, 1.0, 2.0)))
    series = SeriesFactory(study=study)
    return VolumeFactory(series=series, digest=digest, shape=[3, 4, 5], file=put("volumes", file))


def test_a_slice_comes_compressed_as_it_lies_in_the_storage(browser, volume, pixels):
    address = reverse("slice", args=[volume.series_id, 1])
    answer = browser.get(address, {"volume": volume.digest[:16]})
    assert answer["Content-Encoding"] == "deflate"
    assert (answer["X-Rows"], answer["X-Columns"]) == ("4", "5")
    assert "immutable" in answer["Cache-Control"]
    plane = np.frombuffer(zlib.decompress(answer.content), "<i2").reshape(4, 5)
    np.testing.assert_array_equal(plane, pixels[1])
    again = browser.get(address, HTTP_IF_NONE_MATCH=answer["ETag"])
    assert again.status_code == 304


@pytest.mark.parametrize("index", [3, 4000])
def test_a_slice_outside_the_volume_is_not_found(index, browser, volume):
    assert browser.get(reverse("slice", args=[volume.series_id, index])).status_code == 404


def test_a_study_that_was_read_anyway_says_so_first(site, browser):
    study = StudyFactory(site=site, status="ready", with_reading=False)
    series = SeriesFactory(study=study, refused=True)
    ReadingFactory(study=study, volume=VolumeFactory(series=series))
    assert "Read at a radiologist&#x27;s request although the acquisition was refused" in page(browser, study)


def test_on_another_series_no_place_of_the_findings_is_shown(browser, study):
    """Slice numbers of findings count the slices of the series that was read, not of any other."""
    other = VolumeFactory(series__study=study, shape=[40, 512, 512], spacing_mm=[5.0, 0.7, 0.7]).series
    address = f"{reverse('study', args=[study.pk])}?series={other.pk}"
    text = browser.get(address).content.decode()
    assert '<script id="places" type="application/json">[]</script>' in text
    assert 'data-may-add=""' in text

    decided = browser.post(
        reverse("finding-decide", args=[study.findings.first().pk]),
        {"kind": "accept"},
        **HTMX,
        HTTP_HX_CURRENT_URL=f"http://testserver{address}",
    )
    assert '<script id="places" type="application/json">[]</script>' in decided.content.decode()
    assert 'data-may-add="1"' in page(browser, study)
