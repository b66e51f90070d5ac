"""One file without identity: every attribute after table E.1-1, pixels untouched."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from typing import Any, BinaryIO

from pydicom import Dataset, FileDataset, dcmread
from pydicom.datadict import dictionary_has_tag, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence

from scans.dicom import attributes as a
from scans.dicom.deidentify.options import CHARACTERISTIC_TAGS, Options
from scans.dicom.deidentify.pseudonyms import Pseudonyms
from scans.dicom.deidentify.table import Action, action_for
from scans.dicom.objects.identity import IMPLEMENTATION_UID

METHOD = "DICOM PS3.15 2026c basic profile, table-driven"
AGE_LIMIT = "090Y"
OLDEST_YEARS = 89
DUMMIES: dict[str, Any] = {
    "DA": "19000101",
    "TM": "000000",
    "DT": "19000101000000",
    "PN": "REMOVED",
    "AS": "000Y",
    "DS": "0",
    "IS": "0",
    "UR": "http://removed.invalid",
}
NUMBERS = ("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV")
BYTES = ("OB", "OD", "OF", "OL", "OV", "OW", "UN")
SHORTEST_WORD = 2
LONGEST_NUMBER = 3
WORD = re.compile(r"\w+")


class Deidentifier:
    """Makes copies without identity; one for all files of a study, so that UIDs go together."""

    def __init__(self, pseudonyms: Pseudonyms, options: Options) -> None:
        self.pseudonyms, self.options = pseudonyms, options

    def copy_of(self, source: BinaryIO, patient: str) -> bytes:
        """The file without identity, under the pseudonym of its patient; its preamble is zero."""
        dataset = dcmread(source, force=True)
        self.clean(dataset, _names_in(dataset) if self.options.keep_descriptors else frozenset())
        self._state(dataset, patient)
        dataset.file_meta = self._file_meta(dataset)
        dataset.preamble = b"\0" * 128
        file = io.BytesIO()
        dataset.save_as(file, enforce_file_format=True)
        return file.getvalue()

    def clean(self, dataset: Dataset, names: frozenset[str]) -> None:
        """Apply the table to a data set and to every item in it; `names` are words that no text may keep."""
        for tag in list(dataset.keys()):
            if tag.is_private or not dictionary_has_tag(tag):
                del dataset[tag]
                continue
            element = self._readable(dataset, int(tag))
            if element is not None:
                self._treat(dataset, element, names)

    def _readable(self, dataset: Dataset, tag: int) -> DataElement | None:
        """The element; one that cannot be decoded cannot be judged and goes."""
        try:
            return dataset[tag]
        except Exception:  # pydicom raises many kinds on damaged values
            del dataset[tag]
            return None

    def _treat(self, dataset: Dataset, element: DataElement, names: frozenset[str]) -> None:
        tag, vr = int(element.tag), str(element.VR)
        action = action_for(tag)
        if self.options.cleans(tag):
            element.value = without_names(str(element.value or ""), names)
        elif action in (None, Action.DESCEND) or self.options.keeps(tag, vr) or action is Action.UID:
            self._keep(dataset, element, names)
        elif action is Action.REMOVE or vr == "SQ":
            del dataset[tag]
        else:
            element.value = dummy(vr) if action is Action.REPLACE else empty(vr)

    def _keep(self, dataset: Dataset, element: DataElement, names: frozenset[str]) -> None:
        """Kept attributes may hold others: items are cleaned, UIDs of objects replaced, names emptied."""
        vr = str(element.VR)
        if vr == "SQ":
            for item in element.value or Sequence():
                self.clean(item, names)
        elif vr == "UI" and not keyword_for_tag(element.tag).endswith(("ClassUID", "SchemeUID")):
            element.value = [self.pseudonyms.uid(str(uid)) for uid in a.values(dataset, element.keyword)]
        elif vr == "PN":
            element.value = empty(vr)
        elif int(element.tag) in CHARACTERISTIC_TAGS and vr == "AS":
            element.value = _capped_age(str(element.value or ""))

    def _state(self, dataset: Dataset, patient: str) -> None:
        """Say what was done (PS3.15 E.1.1 step 8, PS3.3 C.7.1.1 and C.12.1.1.7)."""
        dataset.PatientID = dataset.PatientName = patient
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = METHOD
        dataset.DeidentificationMethodCodeSequence = [_code(*code) for code in self.options.codes]
        kept = self.options.keep_dates
        dataset.LongitudinalTemporalInformationModified = "UNMODIFIED" if kept else "REMOVED"

    def _file_meta(self, dataset: FileDataset) -> FileMetaDataset:
        """A new file header: the old one may name the sender."""
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
        meta.ImplementationClassUID, meta.ImplementationVersionName = IMPLEMENTATION_UID, "LUNGPORTAL"
        return meta


def dummy(vr: str) -> Any:
    """A value that names nobody and fits the VR."""
    if vr in NUMBERS:
        return 0
    return b"\0\0" if vr in BYTES else DUMMIES.get(vr, "REMOVED")


def empty(vr: str) -> Any:
    return b"" if vr in BYTES else None if vr in NUMBERS else ""


def without_names(text: str, names: frozenset[str]) -> str:
    """Text without words that stand in names and numbers of the file, and without long numbers."""

    def judged(match: re.Match[str]) -> str:
        word = match[0]
        named = word.upper() in names
        return "" if named or sum(letter.isdigit() for letter in word) > LONGEST_NUMBER else word

    return " ".join(WORD.sub(judged, text).split())[:64]


def _names_in(dataset: Dataset) -> frozenset[str]:
    """Words of every person name, number and institution at the top of the file, in capitals."""
    keywords = ("PatientID", "AccessionNumber", "StudyID", "OtherPatientIDs", "InstitutionName",
                "InstitutionAddress", "StationName", "InstitutionalDepartmentName")  # fmt: skip
    texts = [a.text(dataset, keyword) for keyword in keywords]
    for tag in list(dataset.keys()):
        if dictionary_has_tag(tag) and keyword_for_tag(tag).endswith(("Name", "Names")):
            texts.append(_person(dataset, int(tag)))
    return frozenset(_words(texts))


def _person(dataset: Dataset, tag: int) -> str:
    try:
        element = dataset[tag]
    except Exception:  # what cannot be decoded names nobody that a description could repeat
        return ""
    return str(element.value) if element.VR == "PN" else ""


def _words(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        for word in WORD.findall(text):
            if len(word) >= SHORTEST_WORD:
                yield word.upper()


def _capped_age(age: str) -> str:
    """90 years and above as 90: so few people are older that the age alone would name them."""
    match = re.fullmatch(r"(\d{3})Y", age.strip())
    return AGE_LIMIT if match and int(match[1]) > OLDEST_YEARS else age


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
