"""The requests of the OHIF viewer's DicomWebDataSource are answered as it reads them.

Taken from its source (OHIF/Viewers, extensions/default/src/DicomWebDataSource): `mapParams` and
`seriesInStudy` of qido.js at 00f012e, retrieveMetadataLoaderAsync.js at 03225b3, thumbnails and bulk data of
index.ts at 03247f5, and the Accept of frames of platform/core/src/utils/generateAcceptHeader.ts at 0f1390a.
"""

from __future__ import annotations

import io
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from tests.dicom_files import SERIES, STUDY, ct_image
from tests.scans.dicomweb.test_retrieve import content, parts, stow

pytestmark = pytest.mark.django_db

HEADERS = {"HTTP_ORIGIN": "http://testserver"}
LIST = "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030"
FRAME = 'multipart/related; type="application/octet-stream"; transfer-syntax="*"'


@pytest.fixture
def viewer(api_of, radiologist):
    client = api_of(radiologist)
    stow(client, *(ct_image(n, SeriesDate="20260312") for n in (1, 2, 3)))
    return client


def test_the_study_list(viewer):
    answer = viewer.get(f"/dicomweb/studies?{LIST}", HTTP_ACCEPT="application/dicom+json")
    assert answer["Content-Type"] == "application/dicom+json"
    (study,) = answer.json()
    assert study["0020000D"]["Value"] == [STUDY]
    assert study["00080020"]["Value"] == ["20260312"]
    assert study["00080030"]["Value"] == ["104200"]
    assert study["00080050"]["Value"] == ["A1"]
    assert study["00080061"]["Value"] == ["CT"]
    assert study["00100010"]["Value"] == [{"Alphabetic": "DOE^Jane"}]
    assert study["00100020"]["Value"] == ["N-0001"]
    assert study["00201208"]["Value"] == [3]
    assert study["00081030"]["vr"] == "LO"
    assert study["00080090"]["vr"] == "PN"
    assert study["00100030"]["Value"] == ["19580402"]


@pytest.mark.parametrize(
    "search",
    [
        "PatientName=*doe*",
        "00100020=*N-0001*",
        "AccessionNumber=*A1*",
        "StudyDescription=*",
        "ModalitiesInStudy=CT",
        "StudyDate=20260101-20261231",
        f"StudyInstanceUID={STUDY}",
    ],
)
def test_the_filters_of_the_study_list(viewer, search):
    assert len(viewer.get(f"/dicomweb/studies?{search}&{LIST}").json()) == 1


def test_a_study_list_without_hits_is_empty(viewer):
    answer = viewer.get(f"/dicomweb/studies?PatientName=*nobody*&{LIST}")
    assert (answer.status_code, answer.content) == (204, b"")


def test_two_studies_by_their_uids_with_a_backslash_between_them(viewer):
    stow(viewer, ct_image(1, study="2.25.77101", series="2.25.77102"))
    found = viewer.get(f"/dicomweb/studies?StudyInstanceUID={STUDY}%5C2.25.77101&{LIST}").json()
    assert {study["0020000D"]["Value"][0] for study in found} == {STUDY, "2.25.77101"}


def test_one_series_by_its_uid(viewer):
    stow(viewer, ct_image(1, series="2.25.77103"))
    (series,) = viewer.get(f"/dicomweb/studies/{STUDY}/series?SeriesInstanceUID={SERIES}").json()
    assert series["0020000E"]["Value"] == [SERIES]
    assert len(viewer.get(f"/dicomweb/studies/{STUDY}/series").json()) == 2


def test_the_series_of_a_study(viewer):
    path = f"/dicomweb/studies/{STUDY}/series?includefield=0008103E%2C00080021"
    (series,) = viewer.get(path).json()
    assert series["0020000D"]["Value"] == [STUDY]
    assert series["00080021"]["Value"] == ["20260312"]
    assert series["0008103E"]["vr"] == "LO"
    assert series["0020000E"]["Value"] == [SERIES]
    assert series["00080060"]["Value"] == ["CT"]
    assert series["00200011"]["Value"] == [3]
    assert series["00201209"]["Value"] == [3]


def test_the_metadata_of_a_series_in_which_each_instance_can_be_drawn(viewer):
    found = viewer.get(f"/dicomweb/studies/{STUDY}/series/{SERIES}/metadata").json()
    assert len(found) == 3
    needed = (
        "00080016", "00080018", "0020000D", "0020000E", "00280002", "00280004", "00280010", "00280011",
        "00280030", "00280100", "00280101", "00280102", "00280103", "00281052", "00281053", "00200032",
        "00200037", "00200052",
    )  # fmt: skip
    assert all(tag in instance for instance in found for tag in needed)


def test_a_frame_for_the_loader(viewer):
    answer = viewer.get(
        f"/dicomweb/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.2/frames/1",
        HTTP_ACCEPT=FRAME,
    )
    ((kind, pixels),) = parts(answer)
    assert "transfer-syntax=1.2.840.10008.1.2.1" in kind
    assert np.frombuffer(pixels, "<i2").size == 32 * 32


def test_thumbnails_and_rendered_pictures(viewer):
    instance = f"/dicomweb/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.2"
    for path, accept in (("thumbnail", "image/*"), ("rendered", "image/jpeg"), ("rendered", "*/*")):
        answer = viewer.get(f"{instance}/{path}", HTTP_ACCEPT=accept)
        assert Image.open(io.BytesIO(answer.content)).format == "JPEG"
    shown = viewer.get(f"{instance}/rendered?window=-600,1500,linear&viewport=64,64&accept=image/png")
    assert Image.open(io.BytesIO(shown.content)).size == (64, 64)


@pytest.mark.parametrize("kind", ["thumbnail", "rendered"])
@pytest.mark.parametrize("below", ["", f"/series/{SERIES}", f"/series/{SERIES}/instances/{SERIES}.2"])
def test_pictures_of_studies_series_and_instances(viewer, kind, below):
    answer = viewer.get(f"/dicomweb/studies/{STUDY}{below}/{kind}", HTTP_ACCEPT="image/jpeg")
    assert answer["Content-Type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).format == "JPEG"


def test_one_instance_of_a_series_for_its_thumbnail(viewer):
    path = f"/dicomweb/studies/{STUDY}/series/{SERIES}/instances?limit=1&includefield=00080018"
    (instance,) = viewer.get(path).json()
    assert instance["00080018"]["Value"][0].startswith(SERIES)


def test_bulk_data_by_the_address_in_the_metadata(viewer):
    found = viewer.get(f"/dicomweb/studies/{STUDY}/series/{SERIES}/metadata").json()
    address = urlsplit(found[0]["7FE00010"]["BulkDataURI"])
    assert address.netloc == "testserver"
    answer = viewer.get(address.path, HTTP_ACCEPT="multipart/related; type=application/octet-stream")
    assert len(parts(answer)[0][1]) == 2048


def test_an_encapsulated_document_is_a_pdf_that_a_browser_shows(viewer, pdf_instance):
    stow(viewer, pdf_instance)
    series = "2.25.77055"
    (found,) = viewer.get(f"/dicomweb/studies/{STUDY}/series/{series}/metadata").json()
    address = urlsplit(found["00420011"]["BulkDataURI"]).path
    answer = viewer.get(f"{address}?accept=application/pdf")
    assert answer["Content-Type"] == "application/pdf"
    assert content(answer).startswith(b"%PDF")


@pytest.fixture
def pdf_instance() -> bytes:
    from pydicom import FileDataset, FileMetaDataset
    from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    meta.MediaStorageSOPInstanceUID = "2.25.77055.1"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = EncapsulatedPDFStorage, "2.25.77055.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, "2.25.77055"
    dataset.PatientID, dataset.PatientName, dataset.PatientBirthDate = "N-0001", "DOE^Jane", "19580402"
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "DOC", 9, 1
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocument = b"%PDF-1.7 " + b"x" * 5001
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()
