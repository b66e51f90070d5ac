"""A series that holds more than one stack is read by its best one."""

from __future__ import annotations

import io

import numpy as np
import pytest
from pydicom import dcmread

from accounts.models import Person, Site
from scans.ingest.complete import complete_study
from scans.models import Series, Study, Upload, Volume
from scans.uploads import Batch
from tests.dicom_files import chest, ct_image
from tests.enhanced_ct import enhanced_ct

pytestmark = pytest.mark.django_db


def completed(site: Site, person: Person, files: list[bytes]) -> Series:
    batch = Batch(site, person, Upload.Road.COMMAND)
    for file in files:
        batch.take(iter([file]))
    batch.finish()
    complete_study(Study.objects.get())
    return Series.objects.get()


def codes(series: Series) -> set[str]:
    return {check["code"] for check in series.checks}


def renamed(files: list[bytes], **changes: object) -> list[bytes]:
    """Copies under UIDs of their own."""
    copies = []
    for number, file in enumerate(files):
        dataset = dcmread(io.BytesIO(file))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.8800{number}"
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
        copy = io.BytesIO()
        dataset.save_as(copy)
        copies.append(copy.getvalue())
    return copies


def test_of_two_acquisitions_the_better_chest_is_read(site: Site, technician: Person) -> None:
    part = renamed(chest()[20:50], AcquisitionNumber=2)
    series = completed(site, technician, [*part, *chest()])
    assert series.refusal == ""
    assert "W_SPLIT" in codes(series)
    assert sorted(volume.shape[0] for volume in Volume.objects.all()) == [30, 64]
    latest = series.volumes.order_by("-id").first()
    assert latest is not None
    assert latest.shape[0] == 64
    assert series.study.read_series == series


def test_a_localizer_among_the_slices_is_left_aside(site: Site, technician: Person) -> None:
    scout = ct_image(
        900,
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
    )
    series = completed(site, technician, [scout, *chest()])
    assert series.refusal == ""
    assert "I_ASIDE" in codes(series)
    assert Volume.objects.get().shape[0] == 64


def test_an_enhanced_ct_is_read(site: Site, technician: Person) -> None:
    planes = [dcmread(io.BytesIO(file)).pixel_array.astype(np.int16) - 1024 for file in chest()]
    attributes = {"PatientBirthDate": "19580402", "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]}
    series = completed(site, technician, [enhanced_ct(np.stack(planes), 3.0, pixel_mm=5.5, **attributes)])
    assert series.refusal == ""
    assert Volume.objects.get().shape == [64, 64, 64]
    assert series.study.read_series == series


def test_frames_without_a_place_are_not_read_and_say_why(site: Site, technician: Person) -> None:
    file = enhanced_ct(np.zeros((4, 8, 8), np.int16), PerFrameFunctionalGroupsSequence=[])
    series = completed(site, technician, [file])
    assert "Multi-frame CT that does not describe its frames" in series.refusal
    assert not Volume.objects.exists()
