"""Which patient, study and series an image belongs to; contradictions are found here."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from patients.models import Patient
from scans.dicom.headers import Header
from scans.models import Quarantined, Series, Study

if TYPE_CHECKING:
    from accounts.models import Site

_Reason = Quarantined.Reason
APART = "#"
"""Between the issuer of a number and the count of people to whom it was given."""

LONGEST_ISSUER = 60


class Conflict(Exception):
    """The header contradicts what is stored."""

    def __init__(self, reason: Quarantined.Reason, study: Study | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.study = study


class Drawer:
    """Finds or makes the rows above an object, each once per batch.

    `apart`: a person whose number is taken by somebody else gets a row of their own instead of a conflict.
    """

    def __init__(self, site: Site, *, apart: bool = False) -> None:
        self.site, self.apart = site, apart
        self._series: dict[str, Series] = {}
        self._studies: dict[str, Study] = {}
        self._patients: dict[tuple[str, str], Patient] = {}
        self._agreed: dict[tuple[object, ...], Series] = {}

    def forget(self) -> None:
        """Look everything up again: rows made in a transaction that failed are not there."""
        self._series.clear()
        self._studies.clear()
        self._patients.clear()
        self._agreed.clear()

    def series_for(self, header: Header) -> Series:
        """The series of an image.

        Raises
        ------
        Conflict : the study belongs to another patient, or the series to another study.
        """
        claims = _claims(header)
        if claims not in self._agreed:
            self._agreed[claims] = self._checked_series(header)
        return self._agreed[claims]

    def _checked_series(self, header: Header) -> Series:
        study = self._study(header)
        _same_person(study.patient, header, study)
        series = self._series.get(header.series_instance_uid)
        if series is None:
            series = self._series[header.series_instance_uid] = _series(study, header)
        if series.study_id != study.pk:
            raise Conflict(Quarantined.Reason.OTHER_STUDY, study)
        return series

    def patient_of(self, header: Header) -> Patient:
        """The person whom a header names.

        Raises
        ------
        Conflict : the number belongs to somebody of another name or birth date.
        """
        patient = self._patient(header)
        _same_person(patient, header, None)
        return patient

    def _study(self, header: Header) -> Study:
        uid = header.study_instance_uid
        if uid not in self._studies:
            stored = Study.objects.filter(site=self.site, study_instance_uid=uid)
            known = stored.select_related("patient__site")
            self._studies[uid] = known.first() or _new_study(self._patient(header), header)
        return self._studies[uid]

    def _patient(self, header: Header) -> Patient:
        key = number_of(header, self.site)
        if key not in self._patients:
            self._patients[key] = _patient(self.site, key, header, self.apart)
        return self._patients[key]


def _claims(header: Header) -> tuple[object, ...]:
    """All that decides where an object belongs: slices that say the same of it are judged once."""
    person = (header.issuer_of_patient_id, header.patient_id, header.patient_name, header.patient_birth_date)
    return (header.study_instance_uid, header.series_instance_uid, *person)


def number_of(header: Header, site: Site) -> tuple[str, str]:
    """Issuer and medical record number; the issuer is the site if the header names none (DICOM C.7.1.1).

    An image without a number makes a patient of its own, numbered after its study.
    """
    if header.patient_id.strip():
        return (header.issuer_of_patient_id.strip() or site.code)[:64], header.patient_id.strip()[:64]
    return "no number", header.study_instance_uid[-64:]


def _patient(site: Site, key: tuple[str, str], header: Header, apart: bool) -> Patient:
    """The person with this number; where somebody else has it, one of those kept apart from them."""
    patient = _row_of(site, key, header)
    if not _contradicts(patient, header):
        return patient
    issuer, number = key
    namesakes = Patient.objects.filter(
        site=site, medical_record_number=number, issuer__startswith=f"{issuer[:LONGEST_ISSUER]}{APART}"
    )
    known = next((one for one in namesakes if not _contradicts(one, header)), None)
    if known is not None or not apart:
        return known or patient
    return _row_of(site, (f"{issuer[:LONGEST_ISSUER]}{APART}{len(namesakes) + 2}", number), header)


def _row_of(site: Site, key: tuple[str, str], header: Header) -> Patient:
    issuer, number = key
    sex = header.patient_sex if header.patient_sex in Patient.Sex.values else ""
    patient, _ = Patient.objects.get_or_create(
        site=site,
        issuer=issuer,
        medical_record_number=number,
        defaults={"name": header.patient_name[:324], "birth_date": header.patient_birth_date, "sex": sex},
    )
    return patient


def _same_person(patient: Patient, header: Header, study: Study | None) -> None:
    """Refuse to merge two people: another number in the study, or another name or birth date for it."""
    if _contradicts(patient, header):
        raise Conflict(_Reason.OTHER_NAME if study is None else _Reason.OTHER_PATIENT, study)


def _contradicts(patient: Patient, header: Header) -> bool:
    issuer, number = number_of(header, patient.site)
    issuer_of_row = patient.issuer if patient.issuer == issuer else patient.issuer.split(APART)[0]
    stated = (
        (issuer[:LONGEST_ISSUER], issuer_of_row[:LONGEST_ISSUER]),
        (number, patient.medical_record_number),
        (_plain(header.patient_name), _plain(patient.name)),
        (header.patient_birth_date, patient.birth_date),
    )
    return any(new and old and new != old for new, old in stated)


def _plain(name: str) -> str:
    return " ".join(name.split("=", maxsplit=1)[0].replace("^", " ").upper().split())


def _new_study(patient: Patient, header: Header) -> Study:
    _same_person(patient, header, None)
    age = header.patient_age_years
    study, _ = Study.objects.get_or_create(
        site=patient.site,
        study_instance_uid=header.study_instance_uid,
        defaults={
            "patient": patient,
            "accession_number": header.accession_number[:64],
            "study_id": header.study_id[:64],
            "description": header.study_description[:256],
            "referring_physician_name": header.referring_physician_name[:324],
            "institution_name": header.institution_name[:256],
            "started_at": _moment(header),
            "patient_age": age if age is not None and 0 <= age <= 150 else None,
        },
    )
    return study


def _moment(header: Header) -> dt.datetime | None:
    if header.study_date is None:
        return None
    return dt.datetime.combine(header.study_date, header.study_time or dt.time(), tzinfo=dt.UTC)


def _series(study: Study, header: Header) -> Series:
    series, _ = Series.objects.select_related("study").get_or_create(
        site_id=study.site_id,
        series_instance_uid=header.series_instance_uid,
        defaults={
            "study": study,
            "series_number": header.series_number,
            "modality": header.modality[:16],
            "description": header.series_description[:256],
            "slice_thickness_mm": header.slice_thickness,
            "convolution_kernel": header.convolution_kernel[:64],
        },
    )
    return series
