"""A plain picture becomes a study of its own, marked for what it is, without anything that its file knew."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from pydicom import dcmread

from accounts.models import Person, Site
from scans.ingest.complete import complete_study
from scans.models import Instance, Study, Upload
from scans.uploads import receive_batch
from scans.volumes import open_instance
from tests.dicom_files import ct_image

pytestmark = pytest.mark.django_db

RAMP = (np.mgrid[:80, :96][1] * 2).astype(np.uint8)
NOISE = np.random.default_rng(1).integers(0, 255, (80, 96), np.uint8)


@dataclass
class Uploaded:
    """A file of a form, as far as the upload uses it."""

    name: str
    content: bytes

    def chunks(self) -> Iterator[bytes]:
        yield self.content


def picture(pixels: np.ndarray = RAMP, kind: str = "PNG", **more: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **more)
    return file.getvalue()


def with_text(text: str) -> bytes:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", text)
    exif = Image.Exif()
    exif[0x010E] = text
    return picture(pnginfo=notes, exif=exif)


def send(person: Person, site: Site, *contents: bytes) -> list[dict[str, Any]]:
    files = [Uploaded(f"{number}.png", content) for number, content in enumerate(contents)]
    answer = receive_batch(person, site, files, Upload.Road.BROWSER)
    return list(answer["files"])


def stored() -> Any:
    with open_instance(Instance.objects.get()) as file:
        return dcmread(io.BytesIO(file.read()))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_a_picture_becomes_a_study_with_its_pixels(kind: str, site: Site, technician: Person) -> None:
    (line,) = send(technician, site, picture(kind=kind))
    made = stored()

    assert line["outcome"] == "stored"
    assert (made.pixel_array == RAMP).all()
    assert made.SOPClassUID.name == "Secondary Capture Image Storage"
    assert "PixelSpacing" not in made
    assert "RescaleSlope" not in made
    assert Study.objects.get().description == "Plain picture: no HU, no spacing"


def test_colours_and_deep_grey_levels_are_kept(site: Site, technician: Person) -> None:
    colours = np.stack([RAMP, RAMP // 2, 255 - RAMP], axis=-1)
    deep = RAMP.astype(np.uint16) * 200
    send(technician, site, picture(colours))
    assert (stored().pixel_array == colours).all()

    Instance.objects.all().delete()
    send(technician, site, picture(deep))
    assert (stored().pixel_array == deep).all()


def test_a_jpeg_says_that_it_went_through_lossy_compression(site: Site, technician: Person) -> None:
    send(technician, site, picture(kind="JPEG"))

    assert (stored().LossyImageCompression, stored().LossyImageCompressionMethod) == ("01", "ISO_10918_1")


def test_text_and_exif_of_the_file_are_dropped(site: Site, technician: Person) -> None:
    send(technician, site, with_text("DOE JANE"))
    with open_instance(Instance.objects.get()) as file:
        assert b"DOE" not in file.read()


def test_each_picture_is_a_patient_without_number(site: Site, technician: Person) -> None:
    send(technician, site, picture(), picture(RAMP.T.copy()))

    numbers = {study.patient.medical_record_number for study in Study.objects.all()}
    assert len(numbers) == 2
    assert {study.patient.issuer for study in Study.objects.all()} == {"no number"}


def test_the_same_picture_is_one_instance(site: Site, technician: Person) -> None:
    outcomes = [send(technician, site, picture())[0]["outcome"] for _ in range(2)]

    assert outcomes == ["stored", "duplicate"]


def test_a_picture_is_not_read_and_the_reason_says_where_to_go(site: Site, technician: Person) -> None:
    send(technician, site, picture())
    complete_study(Study.objects.get())

    study = Study.objects.get()
    assert study.status == Study.Status.NOT_READ
    assert study.reason.startswith("A plain picture has no Hounsfield units and no spacing")
    assert "/image/" in study.reason


def test_pictures_beside_dicom_files_are_those_of_a_viewer_and_refused(
    site: Site, technician: Person
) -> None:
    lines = send(technician, site, ct_image(), picture())

    assert [line["outcome"] for line in lines] == ["stored", "refused"]


def test_a_dicom_file_with_a_tiff_preamble_is_a_dicom_file(site: Site, technician: Person) -> None:
    (line,) = send(technician, site, b"II*\0".ljust(128, b"\0") + ct_image()[128:])

    assert line["outcome"] == "stored"
    assert stored().Modality == "CT"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (picture(NOISE)[:2000], "DAMAGED"),
        (b"\xff\xd8\xff" + b"x" * 300, "NOT_A_PICTURE"),
        (picture(np.zeros((1, 4097), np.uint8)), "TOO_LARGE"),
        (picture(kind="TIFF", save_all=True, append_images=[Image.fromarray(RAMP)]), "SEVERAL_PAGES"),
    ],
)
def test_what_cannot_be_a_slice_is_refused(content: bytes, code: str, site: Site, technician: Person) -> None:
    (line,) = send(technician, site, content)

    assert (line["outcome"], line["code"]) == ("refused", code)


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dciodvfy (Debian: dicom3tools) is not installed")
def test_dciodvfy_finds_no_error_in_a_capture(site: Site, technician: Person, tmp_path: Path) -> None:
    send(technician, site, picture(kind="JPEG"))
    stored().save_as(tmp_path / "made.dcm")
    said = subprocess.run(
        ["dciodvfy", "-new", str(tmp_path / "made.dcm")], capture_output=True, text=True, check=False
    )
    assert [line for line in said.stderr.splitlines() if line.startswith("Error")] == []
