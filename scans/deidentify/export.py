"""A study as files on a medium: as it came, or without identity (PS3.10, PS3.15)."""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pydicom import Dataset, dcmread
from pydicom.fileset import FileSet

from scans.deidentify.salts import pseudonyms_of
from scans.dicom import sop_classes
from scans.dicom.deidentify.apply import Deidentifier
from scans.dicom.deidentify.burned_in import BURNED_IN, NOT_STATED, burned_in_risk
from scans.dicom.deidentify.options import Options
from scans.models import Instance, Study
from scans.volumes import open_instance

PREAMBLE = 128
PREFIX = b"DICM"
BULK = ("PixelData", "FloatPixelData", "DoubleFloatPixelData", "EncapsulatedDocument")
DEMANDED = {"StudyDate": "19000101", "StudyTime": "000000", "StudyID": "1", "PatientID": "1"}
"""Stand in a DICOMDIR where the files leave them empty (type 1 there, PS3.3 F.5)."""
SENTENCES = {
    BURNED_IN: "{n} images are captures or say that text is burned in: it may name the patient.",
    NOT_STATED: "{n} images do not say whether text is burned in: look at them before they leave the house.",
}
LEFT_OUT = (
    "{n} captures were left out, because their pixels may name the patient; --keep-captures takes them."
)
DOCUMENTS = "{n} reports and other documents were left out: their text cannot be freed of names."


@dataclass
class Exported:
    """What left the house: number of files, and sentences on what was left out or needs a look."""

    files: int = 0
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Selection:
    """Which instances go out without identity, and what is to be said about them."""

    instances: list[Instance]
    warnings: list[str]


def export_study(
    study: Study, target: Path, options: Options | None = None, *, keep_captures: bool = False
) -> Exported:
    """Write a study to a folder, or to a zip if the name ends in .zip, with a DICOMDIR.

    Without `options` the files are the original bytes with a cleared preamble; with them, copies without
    identity.

    Raises
    ------
    FileExistsError : the target is there already and is not an empty folder.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise FileExistsError(target)
    if target.suffix.lower() != ".zip":
        target.mkdir(parents=True, exist_ok=True)
        return _write_folder(study, target, options, keep_captures=keep_captures)
    with tempfile.TemporaryDirectory(prefix="export-", dir=target.parent) as folder:
        exported = _write_folder(study, Path(folder, "files"), options, keep_captures=keep_captures)
        _pack(Path(folder, "files"), target)
    return exported


def selection_for(study: Study, *, keep_captures: bool) -> Selection:
    """The instances that may go out without identity; captures only if asked for."""
    rows = list(Instance.objects.filter(series__study=study).order_by("series", "instance_number", "id"))
    documents = [
        one for one in rows
        if sop_classes.is_document(one.sop_class_uid)
        and one.sop_class_uid not in sop_classes.SEGMENTATIONS
    ]  # fmt: skip
    risk = {one.pk: _risk(one) for one in rows}
    captures = [one for one in rows if risk[one.pk] == BURNED_IN and one not in documents]
    out = [one for one in rows if one not in documents and (keep_captures or one not in captures)]
    counts = [(DOCUMENTS, len(documents))]
    counts.append((SENTENCES[BURNED_IN] if keep_captures else LEFT_OUT, len(captures)))
    counts.append((SENTENCES[NOT_STATED], sum(risk[one.pk] == NOT_STATED for one in out)))
    return Selection(out, [sentence.format(n=n) for sentence, n in counts if n])


def copies_without_identity(
    study: Study, instances: list[Instance], options: Options
) -> Iterator[tuple[Instance, bytes]]:
    """Each instance as a file without identity, under the pseudonyms of the site."""
    pseudonyms = pseudonyms_of(study.site)
    made = Deidentifier(pseudonyms, options)
    patient = pseudonyms.patient(study.patient.issuer, study.patient.medical_record_number)
    for instance in instances:
        with open_instance(instance) as file:
            yield instance, made.copy_of(file, patient)


def _risk(instance: Instance) -> str:
    header = instance.header
    return burned_in_risk(
        instance.sop_class_uid, tuple(header.get("image_type") or ()), header.get("dicom_json") or {}
    )


def _write_folder(study: Study, folder: Path, options: Options | None, *, keep_captures: bool) -> Exported:
    exported = Exported()
    if options is None:
        rows = Instance.objects.filter(series__study=study).order_by("series", "instance_number", "id")
        contents: Iterator[tuple[Instance, bytes]] = ((one, _cleared(one)) for one in rows.iterator())
    else:
        selection = selection_for(study, keep_captures=keep_captures)
        exported.warnings += selection.warnings
        contents = copies_without_identity(study, selection.instances, options)
    listed = _Directory(folder)
    for _, content in contents:
        listed.take(content)
        exported.files += 1
    if listed.unlisted:
        exported.warnings.append(f"{listed.unlisted} files fit no DICOMDIR record; they lie beside it.")
    listed.finish()
    return exported


def _cleared(instance: Instance) -> bytes:
    """The original bytes, with zeros in the preamble: it may hide another file format (CVE-2019-11687)."""
    with open_instance(instance) as file:
        content = file.read()
    if content[PREAMBLE : PREAMBLE + len(PREFIX)] != PREFIX:
        return content
    return bytes(PREAMBLE) + content[PREAMBLE:]


class _Directory:
    """Writes files as they come and lists them in a DICOMDIR at the end (PS3.10, PS3.11 annex D)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unlisted = 0
        self._set = FileSet()
        self._contents = Path(tempfile.mkdtemp(prefix="export-files-"))

    def take(self, content: bytes) -> None:
        header = dcmread(io.BytesIO(content), force=True)
        uid = str(header.SOPInstanceUID)
        (self._contents / uid).write_bytes(content)
        try:
            self._set.add(_record_of(header))
        except (ValueError, AttributeError, KeyError, NotImplementedError):
            self.unlisted += 1

    def finish(self) -> None:
        """Lay out the folder: every file byte for byte as it was given, whatever the directory made of it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if len(self._set):
            self._set.write(self.folder)
            for record in self._set:
                shutil.move(self._contents / str(record.SOPInstanceUID), record.path)
        for number, rest in enumerate(sorted(self._contents.iterdir())):
            (self.folder / "OTHER").mkdir(exist_ok=True)
            shutil.move(rest, self.folder / "OTHER" / f"IM{number:06d}")
        shutil.rmtree(self._contents)


def _record_of(header: Dataset) -> Dataset:
    """What a directory record needs of a file, without its bulk."""
    for keyword in BULK:
        if keyword in header:
            delattr(header, keyword)
    for keyword, value in DEMANDED.items():
        if not header.get(keyword):
            setattr(header, keyword, value)
    for keyword in ("SeriesNumber", "InstanceNumber"):
        if header.get(keyword) in (None, ""):
            setattr(header, keyword, 1)
    return header


def _pack(folder: Path, target: Path) -> None:
    """Zip a folder beside the target, then put it in place: nobody finds half a zip."""
    partial = target.with_name(f".{target.name}.partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                _add(packed, path, path.relative_to(folder).as_posix())
    partial.replace(target)


def _add(packed: zipfile.ZipFile, path: Path, name: str) -> None:
    """One member, dated at the epoch of zips, so that the same study packs alike."""
    with path.open("rb") as source, packed.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
        _copy(source, member)


def _copy(source: IO[bytes], member: IO[bytes]) -> None:
    shutil.copyfileobj(source, member, 1 << 20)
