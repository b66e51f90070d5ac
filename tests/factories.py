"""Rows for tests, with traits named after what they stand for. Names and numbers are invented."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import zlib
from typing import Any

import factory
import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from factory.django import DjangoModelFactory
from PIL import Image

from accounts.models import Membership, Person, Site
from inference.models import Finding, Job, Network, Pipeline, Reading
from patients.models import Patient, RiskProfile
from reports.models import Addendum, Decision, Report, ReportVersion
from scans.models import Instance, Quarantined, Series, Study, Upload, Volume

PASSWORD = "correct horse battery staple"
THICK = "Slices of 8.0 mm are too thick for nodule analysis."


def uid(number: int, branch: int) -> str:
    return f"1.2.826.0.1.3680043.8.498.{branch}.{number}"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ball() -> np.ndarray:
    """Outline of the findings: an ellipsoid in 5 x 9 x 9 voxels."""
    z, y, x = np.ogrid[-2:3, -4:5, -4:5]
    return (z / 2.5) ** 2 + (y / 4.5) ** 2 + (x / 4.5) ** 2 <= 1


def key_image(size: int = 256) -> str:
    """A stored picture: a grey ramp with a bright disc. Returns its name in the storage."""
    y, x = np.mgrid[:size, :size]
    grey = (x * 0.3).astype(np.uint8)
    grey[(x - size / 2) ** 2 + (y - size / 2) ** 2 < (size / 10) ** 2] = 230
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    name = f"key-images/test/{hashlib.sha256(file.getvalue()).hexdigest()}"
    return name if default_storage.exists(name) else default_storage.save(name, ContentFile(file.getvalue()))


class SiteFactory(DjangoModelFactory):
    class Meta:
        model = Site

    code = factory.Sequence(lambda n: f"site-{n}")
    name = factory.Sequence(lambda n: f"Clinic {n}")


class PersonFactory(DjangoModelFactory):
    """`PersonFactory(role="radiologist", site=site)` makes the membership too."""

    class Meta:
        model = Person
        skip_postgeneration_save = True

    class Params:
        role = None
        site = None

    email = factory.Sequence(lambda n: f"person{n}@example.test")
    name = factory.Sequence(lambda n: f"Person {n}")

    @classmethod
    def _create(cls, model_class: type[Person], *args: Any, **fields: Any) -> Person:
        return Person.objects.create_user(fields.pop("email"), fields.pop("password", PASSWORD), **fields)

    @classmethod
    def _generate(cls, strategy: Any, params: dict[str, Any]) -> Person:
        role, site = params.get("role"), params.get("site")
        person = super()._generate(strategy, params)
        if role is not None:
            Membership.objects.create(person=person, site=site or SiteFactory(), role=role)
        return person


class MembershipFactory(DjangoModelFactory):
    class Meta:
        model = Membership

    person = factory.SubFactory(PersonFactory)
    site = factory.SubFactory(SiteFactory)
    role = Membership.Role.RADIOLOGIST


class PatientFactory(DjangoModelFactory):
    class Meta:
        model = Patient

    site = factory.SubFactory(SiteFactory)
    issuer = factory.SelfAttribute("site.code")
    medical_record_number = factory.Sequence(lambda n: f"MRN{n:06d}")
    name = factory.Sequence(lambda n: f"DOE{n}^JANE")
    birth_date = dt.date(1958, 3, 4)
    sex = Patient.Sex.FEMALE


class RiskProfileFactory(DjangoModelFactory):
    class Meta:
        model = RiskProfile

    patient = factory.SubFactory(PatientFactory)
    site = factory.SelfAttribute("patient.site")
    stated_on = dt.date(2026, 3, 1)
    smoking = RiskProfile.Smoking.FORMER
    cigarettes_per_day = 20
    years_smoked = 40
    quit_date = dt.date(2018, 6, 1)


class StudyFactory(DjangoModelFactory):
    """Traits: `ready` (read, three findings), `failed`, `not_read`; `with_reading=True` is `ready`."""

    class Meta:
        model = Study
        skip_postgeneration_save = True

    class Params:
        ready = factory.Trait(
            status="ready", progress=1, completed_at=dt.datetime(2026, 3, 12, 9, tzinfo=dt.UTC)
        )
        failed = factory.Trait(status="failed", reason="The reading was started three times.")
        not_read = factory.Trait(status="not_read", reason=THICK)

    site = factory.SubFactory(SiteFactory)
    patient = factory.SubFactory(PatientFactory, site=factory.SelfAttribute("..site"))
    study_instance_uid = factory.Sequence(lambda n: uid(n, 1))
    accession_number = factory.Sequence(lambda n: f"A{n:05d}")
    description = "CT chest"
    started_at = dt.datetime(2026, 3, 12, 8, 30, tzinfo=dt.UTC)
    patient_age = 68

    @factory.post_generation
    def with_reading(self: Study, create: bool, extracted: bool | None, **fields: Any) -> None:
        wanted = self.status == Study.Status.READY if extracted is None else extracted
        if create and wanted:
            ReadingFactory(study=self, **fields)
            self.refresh_from_db()


class SeriesFactory(DjangoModelFactory):
    """Trait `refused`: slices of 8 mm."""

    class Meta:
        model = Series

    class Params:
        refused = factory.Trait(
            slice_thickness_mm=8.0,
            refusal=THICK,
            checks=[{"code": "E_THICK", "level": "REFUSE", "value": 8.0, "limit": 5.0, "sentence": THICK}],
        )

    study = factory.SubFactory(StudyFactory, with_reading=False)
    site = factory.SelfAttribute("study.site")
    series_instance_uid = factory.Sequence(lambda n: uid(n, 2))
    series_number = 3
    modality = "CT"
    description = "Thorax 1.0 mm"
    slice_thickness_mm = 1.0
    convolution_kernel = "B30f"
    instance_count = 200


class InstanceFactory(DjangoModelFactory):
    class Meta:
        model = Instance

    series = factory.SubFactory(SeriesFactory)
    site = factory.SelfAttribute("series.site")
    sop_instance_uid = factory.Sequence(lambda n: uid(n, 3))
    sop_class_uid = "1.2.840.10008.5.1.4.1.1.2"
    transfer_syntax_uid = "1.2.840.10008.1.2.1"
    sha256 = factory.LazyAttribute(lambda one: sha256(one.sop_instance_uid))
    size = 525_312
    instance_number = 1
    position = 0.0
    header = factory.LazyFunction(
        lambda: {"kvp": 120.0, "dicom_json": {"00180060": {"vr": "DS", "Value": [120.0]}}}
    )


class QuarantinedFactory(DjangoModelFactory):
    class Meta:
        model = Quarantined

    study = factory.SubFactory(StudyFactory)
    site = factory.SelfAttribute("study.site")
    sop_instance_uid = factory.Sequence(lambda n: uid(n, 4))
    sha256 = factory.LazyAttribute(lambda one: sha256(one.sop_instance_uid))
    size = 1000
    reason = Quarantined.Reason.OTHER_BYTES


class UploadFactory(DjangoModelFactory):
    class Meta:
        model = Upload

    site = factory.SubFactory(SiteFactory)
    person = factory.SubFactory(PersonFactory)
    road = Upload.Road.BROWSER
    stored = 200


class VolumeFactory(DjangoModelFactory):
    """200 slices of 512 x 512 with 0.7 mm pixels; no voxels are stored."""

    class Meta:
        model = Volume

    series = factory.SubFactory(SeriesFactory)
    site = factory.SelfAttribute("series.site")
    digest = factory.Sequence(lambda n: sha256(f"volume {n}"))
    shape = [200, 512, 512]
    spacing_mm = [1.0, 0.7, 0.7]
    origin_mm = [-179.0, -179.0, -250.0]
    direction = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    sop_instance_uids = factory.LazyAttribute(
        lambda volume: [f"{volume.series.series_instance_uid}.{z}" for z in range(volume.shape[0])]
    )
    file = "volumes/none"


class NetworkFactory(DjangoModelFactory):
    class Meta:
        model = Network

    task = "candidates"
    version = factory.Sequence(lambda n: f"1.{n}")
    sha256 = factory.Sequence(lambda n: sha256(f"network {n}"))


class PipelineFactory(DjangoModelFactory):
    class Meta:
        model = Pipeline
        django_get_or_create = ("sha256",)

    sha256 = sha256("pipeline of the tests")
    version = "2026.1"


class JobFactory(DjangoModelFactory):
    class Meta:
        model = Job

    class Params:
        done = factory.Trait(state="done", progress=1, attempt=1)

    volume = factory.SubFactory(VolumeFactory)
    study = factory.SelfAttribute("volume.series.study")
    site = factory.SelfAttribute("study.site")


class ReadingFactory(DjangoModelFactory):
    """A reading with `findings=3` findings, shown in the study as the worker does it."""

    class Meta:
        model = Reading
        skip_postgeneration_save = True

    study = factory.SubFactory(StudyFactory, status="ready", with_reading=False)
    volume = factory.SubFactory(VolumeFactory, series__study=factory.SelfAttribute("...study"))
    site = factory.SelfAttribute("study.site")
    job = factory.SubFactory(JobFactory, done=True, volume=factory.SelfAttribute("..volume"))
    pipeline = factory.SubFactory(PipelineFactory)
    volume_digest = factory.SelfAttribute("volume.digest")
    code_version = "0.1.0"
    scan_probability = 0.81
    confidence = "high"
    lung_ml = 4800.0
    checks = factory.LazyAttribute(lambda reading: reading.volume.series.checks)
    timings_s = {"lungs": 1.5, "candidates": 6.0}
    networks = {"candidates": sha256("candidates"), "second look": sha256("second look")}

    @factory.post_generation
    def findings(self: Reading, create: bool, extracted: int | None, **fields: Any) -> None:
        if not create:
            return
        for number in range(1, (3 if extracted is None else extracted) + 1):
            FindingFactory(reading=self, number=number, **fields)
        count = self.findings.count()
        lead = "Right lung, 11.2 mm solid" if count else ""
        shown = {"scan_probability": self.scan_probability, "priority": self.scan_probability}
        Study.objects.filter(pk=self.study_id).update(
            finding_count=count, lead_finding=lead, read_series=self.volume.series_id, **shown
        )


class FindingFactory(DjangoModelFactory):
    """13.0 x 9.4 mm, solid, right lung, outline of 5 x 9 x 9 voxels; `with_key_image=True` stores one."""

    class Meta:
        model = Finding

    class Params:
        with_key_image = factory.Trait(key_image=factory.LazyFunction(key_image))

    reading = factory.SubFactory(ReadingFactory, findings=0)
    study = factory.SelfAttribute("reading.study")
    site = factory.SelfAttribute("reading.site")
    number = 1
    center_mm = factory.LazyAttribute(lambda finding: [-60.0 + finding.number, 10.0, -100.0])
    slice_index = factory.LazyAttribute(lambda finding: 149 + finding.number)
    mask_start = [148, 260, 165]
    mask_shape = [5, 9, 9]
    mask_bits = factory.LazyFunction(lambda: zlib.compress(np.packbits(ball()).tobytes()))
    long_axis_mm = 13.0
    short_axis_mm = 9.4
    mean_diameter_mm = 11.2
    volume_mm3 = 601.0
    type = Finding.Type.SOLID
    side = Finding.Side.RIGHT
    p_nodule = factory.LazyAttribute(lambda finding: 0.95 - 0.1 * finding.number)
    malignancy = 0.62
    malignancy_low = 0.41
    malignancy_high = 0.79
    key_image = ""


class DecisionFactory(DjangoModelFactory):
    """Accepts a finding. For the newest to count as in life, call the actions of reports instead."""

    class Meta:
        model = Decision

    finding = factory.SubFactory(FindingFactory)
    study = factory.SelfAttribute("finding.study")
    site = factory.SelfAttribute("study.site")
    person = factory.SubFactory(PersonFactory)
    kind = Decision.Kind.ACCEPT


class ReportFactory(DjangoModelFactory):
    """A draft with one version; `final=True` signs it, with the study's review moved along."""

    class Meta:
        model = Report
        skip_postgeneration_save = True

    study = factory.SubFactory(StudyFactory, ready=True)
    site = factory.SelfAttribute("study.site")
    revision = 1

    @factory.post_generation
    def final(self: Report, create: bool, extracted: bool | None, **fields: Any) -> None:
        if not create:
            return
        person = fields.get("person") or PersonFactory(role="radiologist", site=self.site)
        version = ReportVersionFactory(report=self, person=person)
        review = "final" if extracted else "draft"
        if extracted:
            self.state, self.signed_by, self.final_version = "final", person, version
            self.signed_at = dt.datetime(2026, 3, 12, 10, tzinfo=dt.UTC)
            self.save()
        Study.objects.filter(pk=self.study_id).update(review=review)
        self.study.review = review


class ReportVersionFactory(DjangoModelFactory):
    class Meta:
        model = ReportVersion

    report = factory.SubFactory(ReportFactory)
    site = factory.SelfAttribute("report.site")
    revision = 1
    person = factory.SubFactory(PersonFactory)
    indication = "CT chest. Indication not stated with the images."
    comparison = "None available."
    technique = "CT, slice thickness 1.0 mm."
    findings = "No suspicious pulmonary nodule."
    impression = "No suspicious pulmonary nodule."
    recommendation = "Management according to the applicable guideline, by the radiologist."


class AddendumFactory(DjangoModelFactory):
    class Meta:
        model = Addendum

    report = factory.SubFactory(ReportFactory, final=True)
    site = factory.SelfAttribute("report.site")
    person = factory.SubFactory(PersonFactory)
    text = "Compared with the study of 2025, now available: unchanged."
