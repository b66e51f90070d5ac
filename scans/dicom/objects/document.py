"""A PDF as a DICOM object of a study (encapsulated PDF, PS3.3 A.45.1)."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from scans.dicom.objects.identity import Placing, as_instance, date_and_time, study_header

REPORT = ("18748-4", "LN", "Diagnostic imaging report")


def write_document(pdf: bytes, source: Dataset, title: str, placing: Placing) -> Dataset:
    """The document in the study of `source`; `title` names the kind of document, never the patient."""
    day, time = date_and_time(placing.moment)
    made = as_instance(EncapsulatedPDFStorage, placing, "DOC")
    made.update(study_header(source))
    made.ConversionType = "WSD"
    made.AcquisitionDateTime = f"{day}{time}"
    made.BurnedInAnnotation = "YES"
    made.DocumentTitle = title
    concept = Dataset()
    concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning = REPORT
    made.ConceptNameCodeSequence = [concept]
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocumentLength = len(pdf)
    made.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    if "SOPInstanceUID" in source:
        image = Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = (
            source.SOPClassUID,
            source.SOPInstanceUID,
        )
        made.SourceInstanceSequence = [image]
    return made
