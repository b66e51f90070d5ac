"""Patients of a site, and what risk models ask about them."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Concat, Upper

from accounts.models import Site
from core.models import Row
from patients.querysets import PatientQuerySet, RiskProfileQuerySet, Trigrams


class Patient(Row):
    """A person known to a site under a medical record number of one issuer.

    The same number of another issuer, or at another site, is another patient: nothing is merged silently.
    """

    class Sex(models.TextChoices):
        FEMALE = "F", "female"
        MALE = "M", "male"
        OTHER = "O", "other"
        UNKNOWN = "", "unknown"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="patients")
    issuer = models.CharField("issuer of the number", max_length=64)
    medical_record_number = models.CharField(max_length=64)
    name = models.CharField(
        max_length=324,
        blank=True,
        help_text="As in DICOM: FAMILY^GIVEN, with ideographic and phonetic groups after =.",
    )
    birth_date = models.DateField(null=True, blank=True)
    sex = models.CharField(max_length=1, choices=Sex, blank=True, default="")
    search_text = models.GeneratedField(
        expression=Upper(Concat("name", models.Value(" "), "medical_record_number")),
        output_field=models.TextField(),
        db_persist=True,
    )

    objects = PatientQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["site", "issuer", "medical_record_number"],
                name="patient_number_once_per_issuer",
                violation_error_message="This issuer has already given that number to another patient.",
            ),
            models.CheckConstraint(condition=~Q(medical_record_number=""), name="patient_has_a_number"),
        ]
        indexes = [
            GinIndex(Trigrams("search_text"), name="patient_search"),
            models.Index(fields=["site", "birth_date"]),
        ]

    def __str__(self) -> str:
        return f"{self.display_name} ({self.medical_record_number})"

    @property
    def display_name(self) -> str:
        """FAMILY, Given — and the ideographic group where there is one."""
        groups = self.name.split("=")
        parts = [part.strip() for part in groups[0].split("^")]
        family, given = parts[0], " ".join(part for part in parts[1:3] if part)
        alphabetic = ", ".join(part for part in (family.upper(), given) if part)
        ideographic = groups[1].replace("^", " ").strip() if len(groups) > 1 else ""
        return " ".join(part for part in (alphabetic, ideographic) if part) or "Name unknown"

    def age_on(self, day: date) -> int | None:
        """Completed years on a day (CLINICAL 1.1)."""
        if self.birth_date is None:
            return None
        before_birthday = (day.month, day.day) < (self.birth_date.month, self.birth_date.day)
        return day.year - self.birth_date.year - int(before_birthday)


def _years() -> list[MinValueValidator | MaxValueValidator]:
    return [MinValueValidator(0), MaxValueValidator(100)]


class RiskProfile(Row):
    """What PLCOm2012 and Brock ask, as stated on one day."""

    class Smoking(models.TextChoices):
        NEVER = "never", "never smoked"
        FORMER = "former", "former smoker"
        CURRENT = "current", "current smoker"

    class Education(models.IntegerChoices):
        """The six levels of PLCOm2012 (Tammemaegi 2013, Table 2)."""

        LESS_THAN_HIGH_SCHOOL = 1, "less than high school"
        HIGH_SCHOOL = 2, "high school graduate"
        POST_HIGH_SCHOOL = 3, "some training after high school"
        SOME_COLLEGE = 4, "some college"
        COLLEGE = 5, "college graduate"
        POSTGRADUATE = 6, "postgraduate or professional"

    class Race(models.TextChoices):
        WHITE = "white", "White"
        BLACK = "black", "Black"
        HISPANIC = "hispanic", "Hispanic"
        ASIAN = "asian", "Asian"
        NATIVE_AMERICAN = "native_american", "American Indian or Alaskan Native"
        PACIFIC = "pacific", "Native Hawaiian or Pacific Islander"

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="risk_profiles")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    stated_on = models.DateField()
    stated_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    smoking = models.CharField(max_length=8, choices=Smoking, blank=True)
    cigarettes_per_day = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(200)]
    )
    years_smoked = models.PositiveSmallIntegerField(null=True, blank=True, validators=_years())
    quit_date = models.DateField(null=True, blank=True)
    family_history = models.BooleanField("lung cancer in the family", null=True, blank=True)
    emphysema = models.BooleanField(null=True, blank=True)
    copd = models.BooleanField("COPD", null=True, blank=True)
    earlier_cancer = models.BooleanField(null=True, blank=True)
    education = models.PositiveSmallIntegerField(null=True, blank=True, choices=Education)
    height_cm = models.DecimalField(
        max_digits=4,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MinValueValidator(50), MaxValueValidator(260)],
    )
    weight_kg = models.DecimalField(
        max_digits=4,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MinValueValidator(20), MaxValueValidator(400)],
    )
    race = models.CharField(max_length=16, choices=Race, blank=True)

    objects = RiskProfileQuerySet.as_manager()

    class Meta:
        get_latest_by = ["stated_on", "id"]
        ordering = ["-stated_on", "-id"]

    def __str__(self) -> str:
        return f"Risk profile of {self.stated_on}"

    @property
    def pack_years(self) -> float | None:
        """Packs of 20 cigarettes a day times years."""
        if self.cigarettes_per_day is None or self.years_smoked is None:
            return None
        return self.cigarettes_per_day / 20 * self.years_smoked
