"""What the networks found and people decided leaves the house as DICOM, and can be read back whole."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from django.utils import timezone
from highdicom.seg import Segmentation
from highdicom.sr import Comprehensive3DSR
from pydicom import Dataset, dcmread

from accounts.models import Person, Site
from core.models import AuditEntry, OutboxMessage
from core.problems import Forbidden, UserError
from inference.models import Finding, Reading
from inference.results import mask_of
from reports import results, tasks, wanted
from reports.actions import add_addendum, add_nodule, decide, open_draft, sign
from reports.models import Report, WantedResults
from scans.dicom.headers import Header
from scans.models import Delivery, Instance, Peer, Series, Study, Upload, Volume
from scans.uploads import Batch
from scans.volumes import build, keep, open_instance
from tests.dicom_files import ct_image
from tests.factories import PASSWORD, FindingFactory, ReadingFactory

pytestmark = pytest.mark.django_db

SLICES = 12
CLASSES = {"seg": "1.2.840.10008.5.1.4.1.1.66.4", "sr": "1.2.840.10008.5.1.4.1.1.88.34",
           "pdf": "1.2.840.10008.5.1.4.1.1.104.1"}  # fmt: skip


def volume_of(site: Site, person: Person) -> Volume:
    """A stored series of twelve slices, the highest first, and its volume."""
    batch = Batch(site, person, Upload.Road.COMMAND)
    for number in range(SLICES):
        batch.take([ct_image(SLICES - number, StudyID="S1", PatientSex="F", InstanceNumber=number + 1)])
    batch.finish()
    series = Series.objects.get()
    instances = list(series.instances.in_slice_order())
    return keep(series, build(instances, [Header.from_json(one.header) for one in instances]))


def with_outline(
    reading: Reading, number: int, start: tuple[int, int, int], shape: tuple[int, int, int]
) -> Finding:
    mask = np.random.default_rng(number).random(shape) < 0.6
    return FindingFactory(
        reading=reading,
        number=number,
        center_mm=[5.0, 6.0, 4.0],
        slice_index=start[0] + 1,
        mask_start=list(start),
        mask_shape=list(shape),
        mask_bits=zlib.compress(np.packbits(mask).tobytes()),
    )


@pytest.fixture
def reading(site: Site, technician: Person) -> Reading:
    """Four findings; the outlines of the first two overlap."""
    volume = volume_of(site, technician)
    study = volume.series.study
    Study.objects.filter(pk=study.pk).update(status="ready", progress=1)
    study.refresh_from_db()
    made = ReadingFactory(study=study, volume=volume, findings=0)
    places = [
        ((2, 4, 4), (4, 6, 7)),
        ((3, 6, 6), (3, 5, 5)),
        ((5, 20, 20), (2, 4, 4)),
        ((1, 1, 25), (3, 3, 3)),
    ]
    for number, (start, shape) in enumerate(places, start=1):
        with_outline(made, number, start, shape)
    return made


@pytest.fixture
def signed(reading: Reading, radiologist: Person) -> Report:
    """The first accepted, the second of another type, the third rejected, the fourth resized; one added."""
    first, second, third, fourth = reading.findings.all()
    decide(radiologist, first, kind="accept")
    decide(radiologist, second, kind="correct", type="part_solid")
    decide(radiologist, third, kind="reject", reason="vessel")
    decide(radiologist, fourth, kind="correct", long_axis_mm=9.0, short_axis_mm=7.0)
    add_nodule(radiologist, reading.study, center_mm=[3.0, 3.0, 8.0], slice_index=7, long_axis_mm=5.0,
               short_axis_mm=4.0, type="solid", location="LLL")  # fmt: skip
    draft = open_draft(radiologist, reading.study)
    return sign(radiologist, draft, revision=draft.revision, password=PASSWORD)


def stored(made: list[Instance], kind: str) -> Dataset:
    (instance,) = [one for one in made if one.sop_class_uid == CLASSES[kind]]
    with open_instance(instance) as file:
        return dcmread(io.BytesIO(file.read()))


def groups_of(made: list[Instance]) -> list:
    report = Comprehensive3DSR.from_dataset(stored(made, "sr"))
    return [
        *report.content.get_volumetric_roi_measurement_groups(),
        *report.content.get_image_measurement_groups(),
    ]


def figures(group) -> dict[str, float]:
    return {item.name.meaning: float(item.value) for item in group.get_measurements()}


def test_signing_promises_the_results(signed: Report) -> None:
    message = OutboxMessage.objects.get(task="reports.tasks.make_results")

    assert message.arguments == {"study_id": str(signed.study_id)}


def test_decisions_count_in_the_structured_report(signed: Report) -> None:
    groups = {group.tracking_identifier: group for group in groups_of(results.make_results(signed.study))}

    assert set(groups) == {"Nodule 1", "Nodule 2", "Nodule 4", "Nodule 5", "Scan"}
    assert figures(groups["Nodule 1"])["Diameter"] == 11.2
    assert figures(groups["Nodule 1"])["Volume"] == 601.0
    resized = figures(groups["Nodule 4"])
    assert (resized["Diameter"], resized["Long Axis"]) == (8.0, 9.0)
    assert "Volume" not in resized
    assert figures(groups["Scan"]) == {"Suspicion score of the scan": 0.81}
    said = {one.name.meaning: one.value.meaning for one in groups["Nodule 2"].get_qualitative_evaluations()}
    assert said["Attenuation type of nodule"] == "Part-solid"
    added = groups["Nodule 5"].get_qualitative_evaluations()
    assert [one.value.meaning for one in added] == ["Solid", "Added by the reader"]


def test_the_outlines_come_back_where_the_networks_drew_them(signed: Report, reading: Reading) -> None:
    made = results.make_results(signed.study)
    segmentation = Segmentation.from_dataset(stored(made, "seg"))
    volume = segmentation.get_volume(combine_segments=False)
    geometry = results.geometry_of(reading.volume)

    assert segmentation.number_of_segments == 2
    for channel, finding in enumerate(reading.findings.all()[:2]):
        places = volume.map_indices_to_reference(np.argwhere(volume.array[..., channel]))
        voxels = {tuple(np.rint(geometry.to_index(place)).astype(int)) for place in places}
        assert voxels == {tuple(voxel) for voxel in np.argwhere(mask_of(finding)) + finding.mask_start}


def test_results_are_made_once_and_leave_the_study_signed(signed: Report, radiologist: Person) -> None:
    first = results.make_results(signed.study)
    kept = {one.sop_instance_uid: one.sha256 for one in first}

    assert [one.pk for one in results.make_results(signed.study)] == [one.pk for one in first]
    assert [one.series.series_number for one in first] == [9001, 9002, 9003]
    study = Study.objects.get(pk=signed.study_id)
    assert (study.status, study.review) == ("ready", "final")
    document, report = stored(first, "pdf"), stored(first, "sr")
    assert bytes(document.EncapsulatedDocument).startswith(b"%PDF")
    assert (document.PatientID, str(document.PatientName)) == ("N-0001", "DOE^Jane")
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("VERIFIED", "FINAL")
    assert str(report.VerifyingObserverSequence[0].VerifyingObserverName) == "North^Radiologist"

    Instance.objects.filter(pk__in=[one.pk for one in first]).delete()
    add_addendum(radiologist, signed, text="Compared with 2025: unchanged.", password=PASSWORD)
    anew = {one.sop_instance_uid: one.sha256 for one in results.make_results(signed.study)}
    assert len(anew.items() & kept.items()) == 2  # the same bytes, and a new document with the addendum
    assert len(anew.keys() - kept.keys()) == 1


def test_before_signing_the_report_is_unverified_and_no_document(reading: Reading) -> None:
    made = results.make_results(reading.study)
    report = stored(made, "sr")

    assert {one.sop_class_uid for one in made} == {CLASSES["seg"], CLASSES["sr"]}
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")


def test_who_may_not_report_may_not_ask_for_results(reading: Reading, technician: Person) -> None:
    with pytest.raises(Forbidden):
        results.ask_for_results(technician, reading.study)


def test_a_study_without_anything_to_state_says_so(
    site: Site, technician: Person, radiologist: Person
) -> None:
    study = volume_of(site, technician).series.study

    with pytest.raises(UserError, match="neither a reading nor a signed report"):
        results.ask_for_results(radiologist, study)


def test_results_are_listed_and_downloaded_by_staff_alone(
    reading: Reading, radiologist: Person, referrer: Person, stranger: Person, api_of, client_of
) -> None:
    made = results.make_results(reading.study)
    listed = api_of(radiologist).get(f"/api/v1/studies/{reading.study_id}/results/").json()
    page = client_of(radiologist).get(f"/studies/{reading.study_id}/results/")
    file = client_of(radiologist).get(f"/results/{made[0].pk}/")

    assert [one["modality"] for one in listed] == ["SEG", "SR"]
    assert str(made[1].pk) in page.content.decode()
    assert dcmread(io.BytesIO(b"".join(file.streaming_content))).SOPClassUID == CLASSES["seg"]
    for other in (referrer, stranger):
        assert client_of(other).get(f"/results/{made[0].pk}/").status_code == 404
        assert api_of(other).get(f"/api/v1/studies/{reading.study_id}/results/").status_code == 404


def test_results_are_asked_for_by_rest(reading: Reading, radiologist: Person, api_of) -> None:
    answer = api_of(radiologist).post(f"/api/v1/studies/{reading.study_id}/results/")

    assert answer.status_code == 202
    assert OutboxMessage.objects.filter(task=wanted.TASK).exists()


def test_signed_results_are_promised_to_the_systems_of_the_site(signed: Report, site: Site) -> None:
    Peer.objects.create(site=site, name="PACS", ae_title="PACS", host="pacs", port=104, receives_results=True)
    results.make_and_send(signed.study)
    results.make_and_send(signed.study)

    assert Delivery.objects.filter(study=signed.study).count() == 3


def test_results_that_could_not_be_made_are_tried_again_until_they_are(
    signed: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(study: Study) -> None:
        raise OSError("DOE^Jane: no space left on the device")

    with monkeypatch.context() as patched:
        patched.setattr(results, "make_and_send", full)
        with pytest.raises(OSError, match="no space"):
            results.make_wanted(signed.study)
    row = WantedResults.objects.get()
    assert (row.study, row.attempts) == (signed.study, 1)
    assert "DOE" not in row.last_error
    OutboxMessage.objects.all().delete()
    assert wanted.promise_due() == 0  # not at once

    WantedResults.objects.update(next_attempt_at=timezone.now())
    assert wanted.promise_due() == 1
    message = OutboxMessage.objects.get(task=wanted.TASK)
    assert wanted.promise_due() == 0  # somebody is at it now
    tasks.make_results(**message.arguments)

    assert not WantedResults.objects.exists()
    assert len(list(results.results_of(signed.study))) == 3


def test_the_console_says_which_results_are_not_made_and_hurries_them(
    signed: Report, administrator: Person, client_of
) -> None:
    Person.objects.filter(pk=administrator.pk).update(is_staff=True)
    client = client_of(administrator)
    WantedResults.objects.update(attempts=2, last_error="The storage is full.")
    OutboxMessage.objects.all().delete()
    address = "/admin/reports/wantedresults/"

    assert "The storage is full." in client.get(address).content.decode()
    chosen = {"action": "try_again", "_selected_action": [str(WantedResults.objects.get().pk)]}
    assert client.post(address, chosen).status_code == 302

    assert OutboxMessage.objects.filter(task=wanted.TASK).count() == 1


def test_results_asked_for_again_while_they_are_made_stay_wanted(
    signed: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = results.make_and_send

    def meanwhile(study: Study) -> None:
        make(study)
        wanted.want(study)

    monkeypatch.setattr(results, "make_and_send", meanwhile)
    results.make_wanted(signed.study)

    assert WantedResults.objects.get().attempts == 0


def test_forgetting_what_is_made_is_no_deletion_in_the_audit_trail(signed: Report) -> None:
    results.make_wanted(signed.study)

    assert not WantedResults.objects.exists()
    assert not AuditEntry.objects.filter(action="delete").exists()
