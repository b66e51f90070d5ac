"""Our own synthetic chest CT: demo data and test data with known truth."""

from scans.dicom.phantom.demo import demo_specs
from scans.dicom.phantom.dicom_files import series_uid, study_uid, write_dicom
from scans.dicom.phantom.make import make_phantom
from scans.dicom.phantom.spec import NoduleSpec, PatientSpec, Phantom, PhantomSpec, StudySpec, Truth

__all__ = [
    "NoduleSpec",
    "PatientSpec",
    "Phantom",
    "PhantomSpec",
    "StudySpec",
    "Truth",
    "demo_specs",
    "make_phantom",
    "series_uid",
    "study_uid",
    "write_dicom",
]
