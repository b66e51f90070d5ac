"""Damaged files end in outcomes, whatever they claim."""

from __future__ import annotations

import pytest

from accounts.models import Person, Site
from scans.models import Upload
from scans.uploads import Batch
from tests.hostile import mutants

pytestmark = pytest.mark.django_db


def test_mutants_are_stored_or_refused(site: Site, technician: Person) -> None:
    batch = Batch(site, technician, Upload.Road.REST)
    for file in mutants(300, seed=7):
        batch.take(iter([file]))
    outcomes = {receipt.outcome for receipt in batch.finish()}

    assert outcomes <= {"stored", "refused", "quarantined", "duplicate"}
    assert "stored" in outcomes
    assert "refused" in outcomes
