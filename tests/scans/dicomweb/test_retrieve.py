"""WADO-RS: metadata, files, frames, bulk data and pictures of what was stored."""

from __future__ import annotations

import gzip
import io
import json
from email import message_from_bytes
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import Storage
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from core.models import AuditEntry
from scans.models import Instance, Series, SeriesDocument, Study
from tests.dicom_files import SERIES, STUDY, ct_image

pytestmark = pytest.mark.django_db

SERIES_PATH = f"/dicomweb/studies/{STUDY}/series/{SERIES}"
FIRST = f"{SERIES_PATH}/instances/{SERIES}.1"
DICOM = 'multipart/related; type="application/dicom"'
OCTETS = 'multipart/related; type="application/octet-stream"'
OHIF_FRAMES = "multipart/related; type=application/octet-stream; transfer-syntax=*"


def stow(client: Any, *files: bytes) -> None:
    body = b"".join(b"--mark\r\nContent-Type: application/dicom\r\n\r\n" + f + b"\r\n" for f in files)
    kind = 'multipart/related; type="application/dicom"; boundary=mark'
    answer = client.generic("POST", "/dicomweb/studies", body + b"--mark--\r\n", content_type=kind)
    assert answer.status_code == 200, answer.content


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def parts(answer: Any) -> list[tuple[str, bytes]]:
    """Media type and content of each part."""
    assert answer.status_code == 200, content(answer)
    head = f"Content-Type: {answer['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(head + content(answer))
    return [(part["Content-Type"], part.get_payload(decode=True)) for part in message.get_payload()]


def encoded(syntax: str, number: int = 1) -> bytes:
    """The CT image with a ramp of values, compressed."""
    dataset = ramp(number)
    dataset.compress(syntax, generate_instance_uid=False)
    return written(dataset)


def ramp(number: int = 1) -> Dataset:
    dataset = dcmread(io.BytesIO(ct_image(number)))
    dataset.PixelData = np.arange(1024, dtype=np.int16).tobytes()
    return dataset


def written(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


@pytest.fixture
def client(api_of, radiologist):
    return api_of(radiologist)


@pytest.fixture
def stored(client):
    """Two images of a series."""
    stow(client, ct_image(1), ct_image(2))


class TestMetadata:
    def test_of_a_series_is_every_header_with_the_address_of_its_pixels(self, client, stored):
        first, second = client.get(f"{SERIES_PATH}/metadata").json()
        assert first["00080018"]["Value"] == [f"{SERIES}.1"]
        assert second["00200013"]["Value"] == [2]
        assert first["00100010"]["Value"] == [{"Alphabetic": "DOE^Jane"}]
        assert first["7FE00010"] == {"vr": "OW", "BulkDataURI": f"http://testserver{FIRST}/bulkdata/7FE00010"}
        assert Dataset.from_json({k: v for k, v in first.items() if k != "7FE00010"}).Rows == 32

    def test_never_opens_a_file(self, client, stored, monkeypatch):
        def refuse(*_: Any, **__: Any) -> None:
            raise AssertionError("a file was opened")

        monkeypatch.setattr(Storage, "open", refuse)
        for path in (f"{SERIES_PATH}/metadata", f"{FIRST}/metadata", f"/dicomweb/studies/{STUDY}/metadata"):
            assert client.get(path).status_code == 200

    def test_comes_from_one_document_in_few_queries(self, client, stored, django_assert_max_num_queries):
        client.get(f"{SERIES_PATH}/metadata")
        with django_assert_max_num_queries(8):
            assert len(client.get(f"{SERIES_PATH}/metadata").json()) == 2

    def test_is_compressed_for_those_who_take_it(self, client, stored):
        for path in (f"{SERIES_PATH}/metadata", f"/dicomweb/studies/{STUDY}/metadata"):
            answer = client.get(path, HTTP_ACCEPT_ENCODING="gzip, deflate")
            assert answer["Content-Encoding"] == "gzip"
            assert len(json.loads(gzip.decompress(content(answer)))) == 2

    def test_follows_the_series_as_it_grows_and_changes(self, client, stored):
        assert len(client.get(f"{SERIES_PATH}/metadata").json()) == 2
        stow(client, ct_image(3))
        assert len(client.get(f"{SERIES_PATH}/metadata").json()) == 3
        other = Instance.objects.get(sop_instance_uid=f"{SERIES}.3")
        other.header["dicom_json"]["00080008"]["Value"] = ["DERIVED"]
        other.sha256 = "0" * 64
        other.save()
        assert client.get(f"{SERIES_PATH}/metadata").json()[2]["00080008"]["Value"] == ["DERIVED"]
        assert SeriesDocument.objects.count() == 1

    def test_is_not_sent_again_to_who_has_it(self, client, stored):
        for path in (f"{SERIES_PATH}/metadata", f"{FIRST}/metadata", f"/dicomweb/studies/{STUDY}/metadata"):
            tag = client.get(path)["ETag"]
            again = client.get(path, HTTP_IF_NONE_MATCH=tag)
            assert (again.status_code, again.content) == (304, b"")

    def test_of_a_study_joins_its_series(self, client, stored):
        stow(client, ct_image(1, series="2.25.88"))
        hits = json.loads(content(client.get(f"/dicomweb/studies/{STUDY}/metadata")))
        assert [hit["0020000E"]["Value"][0] for hit in hits].count(SERIES) == 2
        assert len(hits) == 3

    def test_of_an_instance(self, client, stored):
        (hit,) = client.get(f"{FIRST}/metadata").json()
        assert hit == client.get(f"{SERIES_PATH}/metadata").json()[0]

    def test_is_json_or_nothing(self, client, stored):
        accept = 'multipart/related; type="application/dicom+xml"'
        answer = client.get(f"{SERIES_PATH}/metadata", HTTP_ACCEPT=accept)
        assert answer.status_code == 406
        assert "application/dicom+json" in answer.json()["detail"]


class TestFiles:
    @pytest.mark.parametrize("accept", [DICOM, f"{DICOM}; transfer-syntax=*", "*/*"])
    def test_come_back_as_they_were_sent(self, client, accept):
        sent = ct_image(1)
        stow(client, sent)
        ((kind, back),) = parts(client.get(FIRST, HTTP_ACCEPT=accept))
        assert back == sent
        assert kind == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"

    def test_come_without_what_stood_in_the_preamble(self, client):
        sent = b"MZ" + b"\x90" * 126 + ct_image(1)[128:]
        stow(client, sent)
        ((_, back),) = parts(client.get(FIRST))
        assert back == b"\0" * 128 + sent[128:]

    @pytest.mark.parametrize("missing", [128, 132])
    def test_that_came_without_a_preamble_get_one(self, client, missing):
        stow(client, ct_image(1)[missing:])
        for wish in ("; transfer-syntax=*", ""):
            ((_, back),) = parts(client.get(FIRST, HTTP_ACCEPT=DICOM + wish))
            assert back == ct_image(1)

    def test_of_a_series_and_a_study_come_in_one_answer(self, client, stored):
        for path in (SERIES_PATH, f"/dicomweb/studies/{STUDY}"):
            answer = client.get(path, HTTP_ACCEPT=DICOM)
            assert answer.streaming
            assert [back for _, back in parts(answer)] == [ct_image(1), ct_image(2)]

    def test_one_may_come_without_a_multipart(self, client, stored):
        answer = client.get(FIRST, HTTP_ACCEPT="application/dicom; transfer-syntax=*")
        assert answer["Content-Type"].startswith("application/dicom;")
        assert content(answer) == ct_image(1)
        by_query = client.get(f"{FIRST}?accept=application/dicom")
        assert content(by_query) == ct_image(1)

    @pytest.mark.parametrize("syntax", [JPEGLSLossless, RLELossless, JPEG2000Lossless])
    @pytest.mark.parametrize("wish", ["", "; transfer-syntax=1.2.840.10008.1.2.1"])
    def test_are_unpacked_for_who_takes_explicit_little_endian(self, client, syntax, wish):
        stow(client, encoded(syntax))
        ((kind, back),) = parts(client.get(FIRST, HTTP_ACCEPT=DICOM + wish))
        dataset = dcmread(io.BytesIO(back))
        assert kind.endswith("1.2.840.10008.1.2.1")
        assert dataset.file_meta.TransferSyntaxUID == kind[-19:]
        assert dataset.pixel_array.ravel().tolist() == list(range(1024))
        assert dataset.SOPInstanceUID == f"{SERIES}.1"

    def test_stay_compressed_for_who_takes_that(self, client):
        sent = encoded(JPEGLSLossless)
        stow(client, sent)
        for wish in ("*", str(JPEGLSLossless)):
            ((kind, back),) = parts(client.get(FIRST, HTTP_ACCEPT=f"{DICOM}; transfer-syntax={wish}"))
            assert back[128:] == sent[128:]
            assert kind == f"application/dicom; transfer-syntax={JPEGLSLossless}"

    def test_in_another_encoding_are_refused_with_what_there_is(self, client, stored):
        answer = client.get(FIRST, HTTP_ACCEPT=f"{DICOM}; transfer-syntax={JPEGLSLossless}")
        assert answer.status_code == 406
        assert "transfer-syntax=1.2.840.10008.1.2.1" in answer.json()["detail"]
        assert client.get(SERIES_PATH, HTTP_ACCEPT="application/dicom").status_code == 406

    def test_that_cannot_be_unpacked_go_out_as_they_are_unless_that_is_refused(self, client):
        broken = dcmread(io.BytesIO(encoded(JPEGLSLossless)))
        broken.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.55"
        stow(client, written(broken))
        ((kind, _),) = parts(client.get(FIRST, HTTP_ACCEPT=DICOM))
        assert kind.endswith(".55")
        must = client.get(FIRST, HTTP_ACCEPT=f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.1")
        assert must.status_code == 406


class TestFrames:
    def test_are_bare_pixels(self, client, stored):
        for accept in (OCTETS, OHIF_FRAMES, "*/*"):
            ((kind, back),) = parts(client.get(f"{FIRST}/frames/1", HTTP_ACCEPT=accept))
            assert kind == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
            assert np.frombuffer(back, "<i2").tolist() == [-850 + 1024] * 1024

    def test_one_may_come_without_a_multipart(self, client, stored):
        answer = client.get(f"{FIRST}/frames/1", HTTP_ACCEPT="application/octet-stream")
        assert len(answer.content) == 2048

    def test_stay_compressed_for_a_viewer_that_takes_anything(self, client):
        stow(client, encoded(JPEGLSLossless))
        ((kind, back),) = parts(client.get(f"{FIRST}/frames/1", HTTP_ACCEPT=OHIF_FRAMES))
        assert kind == f"image/jls; transfer-syntax={JPEGLSLossless}"
        assert back.startswith(b"\xff\xd8")

    def test_are_unpacked_where_no_transfer_syntax_is_named(self, client):
        stow(client, encoded(JPEG2000Lossless))
        ((kind, back),) = parts(client.get(f"{FIRST}/frames/1", HTTP_ACCEPT=OCTETS))
        assert kind.startswith("application/octet-stream")
        assert np.frombuffer(back, "<i2").tolist() == list(range(1024))

    @pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", JPEGLSLossless])
    def test_of_many_are_counted_from_one(self, client, syntax):
        dataset = ramp()
        dataset.NumberOfFrames = 3
        planes = np.stack([np.full((32, 32), value, np.int16) for value in (10, 20, 30)])
        dataset.PixelData = planes.tobytes()
        if syntax == JPEGLSLossless:
            dataset.compress(syntax, generate_instance_uid=False)
        stow(client, written(dataset))
        found = parts(client.get(f"{FIRST}/frames/3,1", HTTP_ACCEPT=OCTETS))
        assert [np.frombuffer(back, "<i2")[0] for _, back in found] == [30, 10]
        assert client.get(f"{FIRST}/frames/4").status_code == 404

    @pytest.mark.parametrize("frames", ["0", "1,", "x", "-1", "1,,2", "1" * 12])
    def test_that_are_no_numbers_are_refused(self, client, stored, frames):
        assert client.get(f"{FIRST}/frames/{frames}").status_code == 400

    def test_as_jpeg_are_not_made_up(self, client, stored):
        answer = client.get(f"{FIRST}/frames/1", HTTP_ACCEPT='multipart/related; type="image/jpeg"')
        assert answer.status_code == 406


class TestBulkData:
    def test_of_the_pixels_is_where_the_metadata_says(self, client, stored):
        (hit,) = client.get(f"{FIRST}/metadata").json()
        answer = client.get(hit["7FE00010"]["BulkDataURI"], HTTP_ACCEPT=OCTETS)
        ((_, back),) = parts(answer)
        assert back == dcmread(io.BytesIO(ct_image(1))).PixelData
        alone = client.get(f"{FIRST}/bulkdata/7fe00010", HTTP_ACCEPT="application/octet-stream")
        assert alone.content == back

    def test_of_an_element_that_is_not_there(self, client, stored):
        for tag in ("00420011", "nonsense", "00100010"):
            assert client.get(f"{FIRST}/bulkdata/{tag}").status_code == 404


class TestPictures:
    def test_are_png_or_jpeg_as_asked_for(self, client, stored):
        for accept, kind in (("image/png", "PNG"), ("image/jpeg", "JPEG"), ("*/*", "JPEG")):
            answer = client.get(f"{FIRST}/rendered", HTTP_ACCEPT=accept)
            picture = Image.open(io.BytesIO(answer.content))
            assert (picture.format, picture.size, picture.mode) == (kind, (32, 32), "L")
        assert client.get(f"{FIRST}/rendered", HTTP_ACCEPT="image/gif").status_code == 406

    @pytest.mark.parametrize(
        ("window", "grey"),
        [
            ("-850,1000,linear", 128),
            ("-850,1000", 128),
            ("-350,1000,linear-exact", 0),
            ("-1350,1000,linear-exact", 255),
            ("-600,1000,linear-exact", 64),
            ("-850,1,linear", 255),
            ("-850,100,sigmoid", 128),
        ],
    )
    def test_follow_the_window(self, client, stored, window, grey):
        answer = client.get(f"{FIRST}/rendered", {"window": window}, HTTP_ACCEPT="image/png")
        shown = np.asarray(Image.open(io.BytesIO(answer.content)))
        assert abs(int(shown[5, 5]) - grey) <= 1

    def test_follow_the_window_of_the_image(self, client):
        stow(client, ct_image(1, WindowCenter=-850, WindowWidth=100))
        answer = client.get(f"{FIRST}/frames/1/rendered", HTTP_ACCEPT="image/png")
        assert abs(int(np.asarray(Image.open(io.BytesIO(answer.content)))[0, 0]) - 128) <= 1

    def test_fit_into_the_viewport(self, client):
        stow(client, written(ramp()))

        def shown(viewport: str) -> Image.Image:
            query = {"viewport": viewport, "accept": "image/png", "window": "-512,1024,linear-exact"}
            return Image.open(io.BytesIO(client.get(f"{FIRST}/rendered", query).content))

        assert shown("64,128").size == (64, 64)
        part = shown("8,8,0,16,32,16")
        assert part.size == (8, 4)
        assert np.asarray(part).min() >= 127
        flipped = np.asarray(shown("32,32,,,,-32"))
        assert flipped[0, 0] > flipped[-1, -1]

    @pytest.mark.parametrize(
        "query",
        [
            {"window": "40"},
            {"window": "40,0,linear"},
            {"window": "40,nan,linear"},
            {"window": "40,400,cubic"},
            {"viewport": "0,0"},
            {"viewport": "99999,10"},
            {"viewport": "a,b"},
            {"quality": "0"},
            {"quality": "lots"},
        ],
    )
    def test_refuse_nonsense(self, client, stored, query):
        assert client.get(f"{FIRST}/rendered", query).status_code == 400

    def test_refuse_a_part_outside_the_image(self, client, stored):
        answer = client.get(f"{FIRST}/rendered", {"viewport": "10,10,30,0,10,10"})
        assert answer.status_code == 422
        assert "outside" in answer.json()["detail"]

    def test_of_a_frame_that_is_not_there(self, client, stored):
        assert client.get(f"{FIRST}/frames/2/rendered").status_code == 404
        assert client.get(f"{FIRST}/frames/1,1/rendered").status_code == 400

    def test_are_small_as_thumbnails(self, client, stored):
        for path in (FIRST, f"{FIRST}/frames/1", SERIES_PATH, f"/dicomweb/studies/{STUDY}"):
            answer = client.get(f"{path}/thumbnail")
            assert Image.open(io.BytesIO(answer.content)).size == (128, 128)

    def test_are_not_drawn_again_for_who_has_them(self, client, stored):
        tag = client.get(f"{FIRST}/rendered")["ETag"]
        assert client.get(f"{FIRST}/rendered", HTTP_IF_NONE_MATCH=tag).status_code == 304
        other = client.get(f"{FIRST}/rendered", {"window": "40,400"}, HTTP_IF_NONE_MATCH=tag)
        assert other.status_code == 200


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("encodings/sc-rgb-jpeg-ybr422.dcm", "RGB"),
        ("encodings/ct-a-big-endian.dcm", "L"),
        ("encodings/ct-a-rle.dcm", "L"),
        ("encodings/ct-b-htj2k-rpcl-lossless.dcm", "L"),
        ("encodings/ct-enhanced-2frames-jpegls.dcm", "L"),
        ("objects/ct-chest-scout-jpeg-lossless.dcm", "L"),
    ],
)
def test_real_files_are_shown_and_sent_in_explicit_little_endian(client, shared, name, mode):
    sent = (Path(shared) / "data/dicom/variety" / name).read_bytes()
    stow(client, sent)
    instance = Instance.objects.select_related("series__study").get()
    series = instance.series
    path = (
        f"/dicomweb/studies/{series.study.study_instance_uid}/series/{series.series_instance_uid}"
        f"/instances/{instance.sop_instance_uid}"
    )
    picture = Image.open(io.BytesIO(client.get(f"{path}/rendered").content))
    original = dcmread(io.BytesIO(sent))
    assert (picture.mode, picture.size) == (mode, (original.Columns, original.Rows))
    assert np.asarray(picture).std() > 5
    wish = f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.1"
    ((_, back),) = parts(client.get(path, HTTP_ACCEPT=wish))
    unpacked = dcmread(io.BytesIO(back))
    assert unpacked.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert np.array_equal(unpacked.pixel_array, original.pixel_array)
    frames = parts(client.get(f"{path}/frames/1", HTTP_ACCEPT=OCTETS))
    whole = unpacked.PixelData
    assert len(frames[0][1]) == len(whole) // int(original.get("NumberOfFrames") or 1)


PATHS = [
    f"/dicomweb/studies/{STUDY}",
    f"/dicomweb/studies/{STUDY}/metadata",
    f"/dicomweb/studies/{STUDY}/thumbnail",
    SERIES_PATH,
    f"{SERIES_PATH}/metadata",
    f"{SERIES_PATH}/thumbnail",
    f"{SERIES_PATH}/instances",
    FIRST,
    f"{FIRST}/metadata",
    f"{FIRST}/rendered",
    f"{FIRST}/thumbnail",
    f"/dicomweb/studies/{STUDY}/rendered",
    f"/dicomweb/studies/{STUDY}/series/{SERIES}/rendered",
    f"{FIRST}/frames/1",
    f"{FIRST}/frames/1/rendered",
    f"{FIRST}/bulkdata/7FE00010",
]


def test_nothing_of_it_is_there_for_another_site(api_of, stranger, client, stored):
    theirs = api_of(stranger)
    for path in PATHS:
        assert client.get(path).status_code == 200, path
        assert theirs.get(path).status_code == 404, path


def test_images_are_not_for_a_referrer(api_of, referrer, client, stored):
    Study.objects.update(review="final")
    theirs = api_of(referrer)
    for path in PATHS:
        assert theirs.get(path).status_code == 404, path


def test_the_wrong_series_or_study_does_not_lead_to_an_instance(client, stored):
    stow(client, ct_image(1, series="2.25.88"))
    assert client.get(f"/dicomweb/studies/{STUDY}/series/2.25.88/instances/{SERIES}.1").status_code == 404
    assert client.get(f"/dicomweb/studies/2.25.9/series/{SERIES}/metadata").status_code == 404


def test_of_two_sites_the_newest_or_the_named_one_is_sent(client, stored, radiologist, other_site):
    from tests.factories import MembershipFactory, SeriesFactory, StudyFactory

    MembershipFactory(person=radiologist, site=other_site)
    study = StudyFactory(site=other_site, study_instance_uid=STUDY)
    SeriesFactory(study=study, series_instance_uid=SERIES)
    radiologist.__dict__.pop("roles", None)
    assert client.get(f"{SERIES_PATH}/metadata").json() == []
    assert len(client.get(f"{SERIES_PATH}/metadata?site=north").json()) == 2


def test_looks_at_images_are_recorded_once_in_a_while(client, stored, site):
    for _ in range(3):
        client.get(f"{FIRST}/frames/1")
    looks = AuditEntry.objects.filter(target_type="dicomweb-frames", action="view")
    assert looks.count() >= 1
    assert set(looks.values_list("target_id", flat=True)) == {STUDY}


def test_the_document_is_there_when_the_study_is_complete(client, stored):
    from scans.ingest.complete import complete_study

    complete_study(Study.objects.get())
    assert SeriesDocument.objects.get(series=Series.objects.get()).count == 2
