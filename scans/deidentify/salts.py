"""The secret behind the pseudonyms of a site."""

from __future__ import annotations

from accounts.models import Site
from scans.dicom.deidentify.pseudonyms import Pseudonyms
from scans.models import ResearchSalt


def pseudonyms_of(site: Site) -> Pseudonyms:
    """Pseudonyms of a site; its salt is drawn at the first call and kept from then on."""
    row, _ = ResearchSalt.objects.get_or_create(site=site)
    row.refresh_from_db(fields=["salt"])
    return Pseudonyms(bytes(row.salt))
