"""What may be asked about studies, series, instances and volumes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db.models import Q

from core.querysets import SiteQuerySet
from patients.models import Patient

if TYPE_CHECKING:
    from scans.models import (
        Deletion,
        Delivery,
        Instance,
        Peer,
        Quarantined,
        Release,
        Series,
        SeriesDocument,
        Study,
        Upload,
        Volume,
    )


class StudyQuerySet(SiteQuerySet["Study"]):
    hidden_path = "hidden_at"
    research_path = "deidentified"

    def referrer_sees(self, site_ids: list[Any]) -> Q:
        """A referrer sees studies with a final report."""
        return Q(site__in=site_ids, review="final")

    def quiet_since(self, moment: datetime) -> Self:
        """Studies that are not complete and whose last instance came before a moment."""
        return self.filter(completed_at__isnull=True, last_instance_at__lt=moment, hidden_at__isnull=True)

    def matching(self, text: str) -> Self:
        """Studies whose patient (name, number, birth date) or accession number matches."""
        patients = Patient.objects.matching(text).values("pk")
        return self.filter(Q(patient__in=patients) | Q(accession_number=text.replace("\0", "").strip()))

    def most_suspicious_first(self) -> Self:
        return self.order_by("-priority", "-id")

    def newest_first(self) -> Self:
        return self.order_by("-started_at", "-id")

    def others_of_the_patient(self, study: Study) -> Self:
        others = self.filter(patient=study.patient_id, hidden_at__isnull=True).exclude(pk=study.pk)
        return others.order_by("-started_at")


class SeriesQuerySet(SiteQuerySet["Series"]):
    hidden_path = "study__hidden_at"
    research_path = "study__deidentified"


class SeriesDocumentQuerySet(SiteQuerySet["SeriesDocument"]):
    hidden_path = "series__study__hidden_at"
    research_path = "series__study__deidentified"


class InstanceQuerySet(SiteQuerySet["Instance"]):
    hidden_path = "series__study__hidden_at"
    research_path = "series__study__deidentified"

    def in_slice_order(self) -> Self:
        return self.order_by("position", "instance_number", "id")


class QuarantineQuerySet(SiteQuerySet["Quarantined"]):
    hidden_path = "study__hidden_at"

    def unresolved(self) -> Self:
        return self.filter(resolved_at__isnull=True)


class UploadQuerySet(SiteQuerySet["Upload"]):
    pass


class VolumeQuerySet(SiteQuerySet["Volume"]):
    hidden_path = "series__study__hidden_at"


class DeletionQuerySet(SiteQuerySet["Deletion"]):
    def waiting(self) -> Self:
        return self.filter(undone_at__isnull=True, done_at__isnull=True)

    def due(self, moment: datetime) -> Self:
        """Studies whose grace period is over."""
        return self.waiting().filter(due_at__lte=moment)


class PeerQuerySet(SiteQuerySet["Peer"]):
    def calling_as(self, ae_title: str) -> Self:
        """Nodes that may send to us under this AE title."""
        return self.filter(ae_title=ae_title, may_send=True, active=True)

    def wanting_results_of(self, site_id: Any) -> Self:
        return self.filter(site=site_id, receives_results=True, active=True)


class DeliveryQuerySet(SiteQuerySet["Delivery"]):
    def due(self, moment: datetime) -> Self:
        """What waits and may be tried now."""
        return self.filter(state="waiting", next_attempt_at__lte=moment)


class ReleaseQuerySet(SiteQuerySet["Release"]):
    hidden_path = "study__hidden_at"
