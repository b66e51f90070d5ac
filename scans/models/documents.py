"""Series as DICOM JSON, ready to be sent: what a viewer asks for first."""

from __future__ import annotations

from django.db import models

from accounts.models import Site
from core.models import Row
from scans.models.studies import Series
from scans.querysets import SeriesDocumentQuerySet


class SeriesDocument(Row):
    """The metadata of all instances of a series, compressed; derived, can always be built again.

    `fingerprint` follows the content of the series, so that a document that is behind its instances is seen.
    """

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    series = models.OneToOneField(Series, on_delete=models.CASCADE, related_name="document")
    fingerprint = models.CharField(max_length=32)
    count = models.PositiveIntegerField("instances")
    body = models.BinaryField("JSON array, gzip")

    objects = SeriesDocumentQuerySet.as_manager()

    def __str__(self) -> str:
        return f"metadata of {self.count} instances"
