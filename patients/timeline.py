"""What happened to a patient, newest first; the upper rooms bring their parts when they start."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accounts.models import Person
    from patients.models import Patient

EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """One line of a timeline; `url` leads to the thing itself."""

    moment: datetime | None
    kind: str
    title: str
    detail: str = ""
    url: str = ""
    tone: str = ""


Provider = Callable[["Person", "Patient"], Iterable[Entry]]

_providers: dict[str, Provider] = {}


def register(room: str, provider: Provider) -> None:
    """Called by a room when it is ready; the same room replaces what it said before."""
    _providers[room] = provider


def entries(person: Person, patient: Patient) -> list[Entry]:
    """All that this person may see of a patient, newest first; each room asks with `visible_to`."""
    found = [entry for provider in _providers.values() for entry in provider(person, patient)]
    return sorted(found, key=lambda entry: entry.moment or EARLIEST, reverse=True)
