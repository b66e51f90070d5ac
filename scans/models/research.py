"""What research needs: the secret behind the pseudonyms of a site, and which studies were released."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models

from accounts.models import Site
from core.models import Row
from scans.dicom.deidentify.pseudonyms import SALT_BYTES
from scans.models.studies import Study
from scans.querysets import ReleaseQuerySet


def new_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


class ResearchSalt(Row):
    """The salt of a site: with it the same study has the same pseudonyms in every export."""

    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="+")
    salt = models.BinaryField(default=new_salt, editable=False)

    def __str__(self) -> str:
        return f"salt of {self.site}"


class Release(Row):
    """A study that a person released for research; the copy without identity is a study of its own."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    study = models.OneToOneField(Study, on_delete=models.CASCADE, related_name="release")
    copy = models.OneToOneField(
        Study, null=True, blank=True, on_delete=models.SET_NULL, related_name="released_from"
    )
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    options = models.JSONField(default=dict)
    warnings = models.JSONField(default=list)

    objects = ReleaseQuerySet.as_manager()

    def __str__(self) -> str:
        return f"release of study {self.study_id}"
