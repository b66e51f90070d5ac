"""Zips from people: members are stored, tricks are refused, and the rest of the batch goes on."""

from __future__ import annotations

import io
import zipfile

import pytest

from accounts.models import Person, Site
from scans.ingest import archives
from scans.models import Instance, Upload
from scans.uploads import receive_batch
from tests.dicom_files import ct_image


class Uploaded:
    """What Django hands over for one uploaded file."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self.data = name, data

    def chunks(self) -> list[bytes]:
        return [self.data]


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def outcomes(site: Site, person: Person, *files: Uploaded) -> list[tuple[str, str]]:
    answer = receive_batch(person, site, files, Upload.Road.BROWSER)
    return [(line["outcome"], line["code"]) for line in answer["files"]]


pytestmark = pytest.mark.django_db


def test_each_member_of_a_zip_has_its_outcome(site: Site, technician: Person) -> None:
    members = {"a/1.dcm": ct_image(1), "a/2.dcm": ct_image(2), "read.me": b"text", "__MACOSX/a": b"litter"}
    found = outcomes(site, technician, Uploaded("cd.zip", packed(members)))

    assert [outcome for outcome, _ in found] == ["stored", "stored", "refused"]
    assert Instance.objects.count() == 2


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("an empty zip", packed({}), "EMPTY_ZIP"),
        ("a zip bomb", packed({"bomb": bytes(40_000_000)}), "ZIP_BOMB"),
        ("a damaged zip", packed({"1.dcm": ct_image()})[:-40], "BAD_ZIP"),
        ("a path that climbs out", packed({"../../etc/passwd": b"x"}), "ZIP_PATH"),
        ("a Windows path that climbs out", packed({"..\\..\\boot.ini": b"x"}), "ZIP_PATH"),
        ("a name that is none", packed({".": b"x"}), "ZIP_PATH"),
        ("an absolute path", packed({"/etc/passwd": b"x"}), "ZIP_PATH"),
    ],
)
def test_tricks_are_refused_and_the_rest_is_stored(
    site: Site, technician: Person, name: str, data: bytes, code: str
) -> None:
    found = outcomes(site, technician, Uploaded(name, data), Uploaded("good.dcm", ct_image()))

    assert found == [("refused", code), ("stored", "")]


def test_a_zip_that_lies_about_its_size_gives_no_more_than_it_declared(
    site: Site, technician: Person
) -> None:
    whole = packed({"1.dcm": ct_image()}, zipfile.ZIP_STORED)
    lying = whole.replace(len(ct_image()).to_bytes(4, "little"), (100).to_bytes(4, "little"))

    assert outcomes(site, technician, Uploaded("lying.zip", lying))[0][0] == "refused"


def test_file_names_are_echoed_and_never_stored(site: Site, technician: Person) -> None:
    answer = receive_batch(technician, site, [Uploaded("DOE_JANE.dcm", ct_image())], Upload.Road.BROWSER)

    assert answer["files"][0]["name"] == "DOE_JANE.dcm"
    stored = Upload.objects.get().files.get()
    assert "DOE" not in f"{stored.code}{stored.sentence}{stored}"


def test_zips_within_a_zip_are_opened_and_deeper_ones_are_not(site: Site, technician: Person) -> None:
    deepest = packed({"3.dcm": ct_image(3)})
    inner = packed({"a/1.dcm": ct_image(1), "a/2.dcm": ct_image(2), "deeper.zip": deepest})
    outer = packed({"first.zip": inner, "notes.txt": b"text", "4.dcm": ct_image(4)})

    found = outcomes(site, technician, Uploaded("cd.zip", outer))

    assert found == [
        ("stored", ""), ("stored", ""), ("refused", "ZIP_TOO_DEEP"), ("refused", "NOT_DICOM"), ("stored", ""),
    ]  # fmt: skip
    assert Instance.objects.count() == 3


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        (packed({"bomb": bytes(40_000_000)}), "ZIP_BOMB"),
        (packed({"1.dcm": ct_image()})[:-40], "BAD_ZIP"),
        (packed({}), "EMPTY_ZIP"),
    ],
)
def test_a_bad_zip_within_a_zip_is_one_refused_file(
    site: Site, technician: Person, inner: bytes, code: str
) -> None:
    outer = packed({"bad.zip": inner, "good.dcm": ct_image()}, zipfile.ZIP_STORED)

    assert outcomes(site, technician, Uploaded("cd.zip", outer)) == [("refused", code), ("stored", "")]


def test_zips_within_a_zip_share_one_limit_of_files(
    site: Site, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = packed({f"{n}.txt": b"x" for n in range(6)})
    room = archives._Room(files=9)
    monkeypatch.setattr(archives, "_Room", lambda: room)
    outer = packed({"a.zip": inner, "b.zip": inner})

    found = outcomes(site, technician, Uploaded("many.zip", outer))

    assert [code for _, code in found] == ["NOT_DICOM"] * 6 + ["ZIP_TOO_MANY"]


def test_a_dicom_file_whose_preamble_begins_as_a_zip_is_dicom(site: Site, technician: Person) -> None:
    two_faced = b"PK\x03\x04" + ct_image()[4:]

    assert outcomes(site, technician, Uploaded("polyglot.dcm", two_faced)) == [("stored", "")]
