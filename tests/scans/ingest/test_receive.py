"""Files on their way in: what is stored, what is a duplicate, what waits in quarantine, what is refused."""

from __future__ import annotations

import errno
import hashlib
import io
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from psycopg2.errors import DeadlockDetected
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from accounts.models import Person, Site
from patients.models import Patient
from scans.durable import settle
from scans.ingest import receive as receive_module
from scans.ingest.arrivals import arrive
from scans.ingest.filing import Drawer
from scans.models import Instance, Quarantined, Series, Study, Upload, UploadedFile
from scans.storage import CHUNK, content_name, spool
from scans.uploads import Batch
from tests.dicom_files import ct_image

pytestmark = pytest.mark.django_db
Outcome = UploadedFile.Outcome


def send(site: Site, person: Person, *files: bytes) -> list[receive_module.Receipt]:
    batch = Batch(site, person, Upload.Road.REST)
    for file in files:
        batch.take(iter([file]))
    return batch.finish()


def test_an_image_makes_its_patient_study_and_series(site: Site, technician: Person) -> None:
    (receipt,) = send(site, technician, ct_image())

    assert receipt.outcome == Outcome.STORED
    patient = Patient.objects.get()
    assert (patient.issuer, patient.medical_record_number, patient.name) == ("north", "N-0001", "DOE^Jane")
    study, series = Study.objects.get(), Series.objects.get()
    assert (study.patient, study.accession_number, study.patient_age) == (patient, "A1", 67)
    assert (series.study, series.instance_count, series.modality) == (study, 1, "CT")


def test_acknowledged_is_durable(site: Site, technician: Person) -> None:
    """DESIGN promise 1: the stored bytes are those that came, under their hash."""
    sent = ct_image()
    (receipt,) = send(site, technician, sent)

    assert receipt.instance is not None
    with default_storage.open(content_name("instances", receipt.instance.sha256)) as stored:
        assert stored.read() == sent


def test_nothing_is_filed_whose_bytes_did_not_get_to_the_disk(site: Site) -> None:
    """The sender of an association keeps its drawer: the study that was undone is made again."""
    drawer = Drawer(site)
    with spool([ct_image()]) as spooled:
        arrival = arrive(spooled)

    def full() -> None:
        raise OSError(errno.ENOSPC, "no space")

    with pytest.raises(OSError, match="no space"):
        receive_module.receive(site, [arrival], drawer, full)
    assert not Instance.objects.exists()
    assert not Study.objects.exists()

    (receipt,) = receive_module.receive(site, [arrival], drawer)

    assert receipt.outcome == Outcome.STORED
    assert Series.objects.get().instance_count == 1


def test_a_long_file_waits_on_the_disk_and_not_in_memory() -> None:
    chunks = [bytes([number]) * CHUNK for number in range(6)]

    with spool(chunks) as spooled:
        assert not isinstance(spooled.file, io.BytesIO)
        assert spooled.sha256 == hashlib.sha256(b"".join(chunks)).hexdigest()
        assert spooled.file.read() == b"".join(chunks)


def test_the_same_bytes_are_one_instance(site: Site, technician: Person) -> None:
    """DESIGN promise 2, first half."""
    receipts = send(site, technician, ct_image(), ct_image())
    later = send(site, technician, ct_image())

    assert [r.outcome for r in receipts + later] == [Outcome.STORED, Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert Instance.objects.count() == 1
    assert Series.objects.get().instance_count == 1


def test_other_bytes_under_the_same_uid_wait_in_quarantine(site: Site, technician: Person) -> None:
    """DESIGN promise 2, second half: nothing is overwritten."""
    send(site, technician, ct_image(hu=-850))
    before = Instance.objects.get().sha256
    (receipt,) = send(site, technician, ct_image(hu=-700))

    assert receipt.outcome == Outcome.QUARANTINED
    assert Instance.objects.get().sha256 == before
    assert Quarantined.objects.get().reason == Quarantined.Reason.OTHER_BYTES


@pytest.mark.parametrize(
    "changes",
    [
        {"PatientID": "N-0002"},
        {"PatientName": "ROE^Richard"},
        {"PatientBirthDate": "19700101"},
        {"IssuerOfPatientID": "OTHER"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_two_people_are_never_merged(site: Site, technician: Person, changes: dict[str, str]) -> None:
    send(site, technician, ct_image(1))
    (receipt,) = send(site, technician, ct_image(2, **changes))

    assert receipt.outcome == Outcome.QUARANTINED
    assert Quarantined.objects.get().reason == Quarantined.Reason.OTHER_PATIENT
    assert Instance.objects.count() == 1


def test_the_same_number_at_two_sites_is_two_patients(
    site: Site, other_site: Site, technician: Person, stranger: Person
) -> None:
    send(site, technician, ct_image())
    send(other_site, stranger, ct_image())

    assert Patient.objects.count() == 2
    assert Study.objects.visible_to(technician).count() == 1


def test_the_same_number_of_two_issuers_is_two_patients(site: Site, technician: Person) -> None:
    send(site, technician, ct_image(1, IssuerOfPatientID="A"))
    send(site, technician, ct_image(1, series="2.25.8", study="2.25.9", IssuerOfPatientID="B"))

    assert sorted(Patient.objects.values_list("issuer", flat=True)) == ["A", "B"]


def test_an_image_without_a_patient_number_makes_a_patient_of_its_own(site: Site, technician: Person) -> None:
    send(
        site,
        technician,
        ct_image(1, PatientID=""),
        ct_image(1, PatientID="", series="2.25.8", study="2.25.9"),
    )

    assert Patient.objects.count() == 2


def test_a_bad_file_never_stops_the_rest(site: Site, technician: Person) -> None:
    whole = ct_image(2)
    receipts = send(site, technician, b"just text", ct_image(1), whole[: len(whole) // 2], ct_image(3))

    assert [r.outcome for r in receipts] == [Outcome.REFUSED, Outcome.STORED, Outcome.REFUSED, Outcome.STORED]
    assert all(r.sentence.endswith(".") for r in receipts if r.outcome == Outcome.REFUSED)
    upload = Upload.objects.get()
    assert (upload.stored, upload.refused, upload.files.count()) == (2, 2, 4)


def test_a_new_image_opens_a_completed_study_again(site: Site, technician: Person) -> None:
    send(site, technician, ct_image(1))
    Study.objects.update(completed_at="2026-03-12T11:00Z", status="ready")
    send(site, technician, ct_image(2))

    study = Study.objects.get()
    assert (study.completed_at, study.status) == (None, "received")


def test_a_large_batch_is_filed_in_parts(
    site: Site, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scans.uploads.COMMIT_EVERY", 4)
    receipts = send(site, technician, *(ct_image(n) for n in range(10)))

    assert len(receipts) == 10
    assert Series.objects.get().instance_count == 10


def test_a_file_above_the_limit_is_refused(
    site: Site, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scans.limits.LARGEST_INSTANCE_BYTES", 1000)
    (receipt,) = send(site, technician, ct_image())

    assert (receipt.outcome, receipt.code) == (Outcome.REFUSED, "TOO_LARGE")


def test_filing_costs_a_constant_number_of_queries(
    site: Site, technician: Person, django_assert_max_num_queries: object
) -> None:
    with django_assert_max_num_queries(40):  # type: ignore[operator]
        send(site, technician, *(ct_image(n) for n in range(60)))


@pytest.mark.django_db(transaction=True)
def test_two_senders_of_one_study_do_not_lose_an_image(site: Site, technician: Person) -> None:
    barrier, failures = threading.Barrier(2), []

    def sender(numbers: range) -> None:
        try:
            barrier.wait()
            send(site, technician, *(ct_image(n) for n in numbers))
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=sender, args=(numbers,)) for numbers in (range(0, 20), range(10, 30))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
    assert Instance.objects.count() == Series.objects.get().instance_count == 30


def test_a_batch_that_lost_a_deadlock_is_filed_again(
    site: Site, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_all, tries = receive_module._file_all, []

    def loses_once(*args: Any) -> Any:
        tries.append(args)
        if len(tries) == 1:
            raise OperationalError from DeadlockDetected()
        return file_all(*args)

    monkeypatch.setattr(receive_module, "_file_all", loses_once)
    batch = Batch(site, technician, Upload.Road.COMMAND)
    batch.take(iter([ct_image()]))
    assert [receipt.outcome for receipt in batch.finish()] == ["stored"]
    assert len(tries) == 2


def test_a_number_beyond_32_bits_counts_as_absent_and_stops_nobody(site: Site, technician: Person) -> None:
    dataset, tag = dcmread(io.BytesIO(ct_image(1))), Tag("SeriesNumber")
    dataset._dict[tag] = RawDataElement(tag, "IS", 12, b"99999999999 ", 0, False, True)
    file = io.BytesIO()
    dataset.save_as(file)
    receipts = send(site, technician, file.getvalue(), ct_image(2, series="2.25.5"))

    assert [receipt.outcome for receipt in receipts] == ["stored", "stored"]
    assert set(Series.objects.values_list("series_number", flat=True)) == {None, 3}


def test_new_folders_of_the_storage_are_durable_too(
    site: Site, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("scans.durable._sync_folder", synced.append)
    (receipt,) = send(site, technician, ct_image())

    assert receipt.instance is not None
    folder = Path(default_storage.path(content_name("instances", receipt.instance.sha256))).parent
    assert {folder, folder.parent, folder.parent.parent, folder.parent.parent.parent} <= set(synced)


def test_what_is_stored_stays_a_duplicate_when_its_patient_has_got_another_name(
    site: Site, technician: Person
) -> None:
    send(site, technician, ct_image())
    Patient.objects.update(name="ROE^Jane")
    (again,) = send(site, technician, ct_image())
    (other,) = send(site, technician, ct_image(hu=-700))

    assert (again.outcome, again.code) == ("duplicate", "DUPLICATE")
    assert (other.outcome, other.code) == ("quarantined", "OTHER_BYTES")


def test_two_that_contradict_each_other_may_come_together_to_a_slow_disk(
    site: Site, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(written: Any) -> Any:
        time.sleep(0.3)
        return settle(written)

    monkeypatch.setattr("scans.ingest.bundle.settle", slow)
    receipts = send(site, technician, ct_image(1), ct_image(1, hu=-700))

    assert [receipt.outcome for receipt in receipts] == ["stored", "quarantined"]


@pytest.mark.django_db(transaction=True)
def test_twenty_clients_that_send_one_instance_at_once_make_one_row(site: Site, technician: Person) -> None:
    file, outcomes, start = ct_image(), [], threading.Barrier(20)

    def sender() -> None:
        batch = Batch(site, technician, Upload.Road.STOW)
        start.wait()
        batch.take(iter([file]))
        outcomes.extend(receipt.outcome for receipt in batch.finish())
        connection.close()

    threads = [threading.Thread(target=sender) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["duplicate"] * 19 + ["stored"]
    assert Instance.objects.count() == Series.objects.get().instance_count == 1


LOSSLESS = ["big-endian", "deflated", "rle", "jpeg-lossless-sv1", "jpegls-lossless", "j2k-lossless"]


@pytest.mark.shared
@pytest.mark.parametrize("encoding", LOSSLESS)
def test_a_lossless_copy_of_the_same_pixels_is_said_to_be_just_that(
    site: Site, technician: Person, shared: Path, encoding: str
) -> None:
    folder = shared / "data" / "dicom" / "variety" / "encodings"
    send(site, technician, (folder / "ct-a-explicit-le.dcm").read_bytes())
    (receipt,) = send(site, technician, (folder / f"ct-a-{encoding}.dcm").read_bytes())

    assert (receipt.outcome, receipt.code) == ("duplicate", "SAME_PIXELS")
    assert "another lossless encoding" in receipt.sentence
    assert Instance.objects.count() == 1
    assert not Quarantined.objects.exists()


def test_one_patient_number_under_another_name_waits_in_quarantine(site: Site, technician: Person) -> None:
    send(site, technician, ct_image())
    other = ct_image(study="2.25.8", series="2.25.81", PatientName="ROE^Richard")
    (receipt,) = send(site, technician, other)

    assert (receipt.outcome, receipt.code) == ("quarantined", "OTHER_NAME")
    assert Study.objects.count() == Patient.objects.count() == 1


def test_series_know_their_bytes(site: Site, technician: Person) -> None:
    files = ct_image(1), ct_image(2)
    send(site, technician, *files)

    assert Series.objects.get().size_bytes == sum(map(len, files))


def test_files_that_are_read_beside_their_receiving_are_told_of_in_the_order_of_their_coming(
    site: Site, technician: Person
) -> None:
    receipts = send(site, technician, ct_image(1), b"no DICOM", ct_image(1), b"nor this", ct_image(2))

    assert [r.outcome for r in receipts] == [
        Outcome.STORED,
        Outcome.REFUSED,
        Outcome.DUPLICATE,
        Outcome.REFUSED,
        Outcome.STORED,
    ]


def test_images_and_the_record_of_their_coming_are_one_commit(
    site: Site, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(batch: Batch) -> None:
        raise OperationalError("the connection is gone")

    with monkeypatch.context() as patched:
        patched.setattr(Batch, "_record", lost)
        with pytest.raises(OperationalError):
            send(site, technician, ct_image())
    assert not Study.objects.exists()

    (receipt,) = send(site, technician, ct_image())
    assert receipt.outcome == Outcome.STORED
    assert Upload.objects.get().stored == 1
