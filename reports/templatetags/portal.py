"""Tags and filters of the pages; the words come from `reports.presentation`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.db.models import Count
from django.utils import timezone

from core.querysets import STAFF_ROLES
from inference.models import Job
from reports import character, presentation

register = template.Library()

METER_WIDTH = 64

register.filter("probability", presentation.probability)
register.filter("millimetres", presentation.millimetres)
register.filter("thickness", presentation.thickness)
register.filter("cubic_millimetres", presentation.cubic_millimetres)
register.filter("suspicion", presentation.suspicion)
register.filter("checks_of", presentation.checks_of)
register.filter("solid_part", character.solid_part)
register.filter("surface", character.surface)
register.filter("density", character.density)
register.filter("pleura", character.pleura)


@register.filter
def waiting_since(moment: datetime) -> str:
    """How long ago that was."""
    return presentation.waiting(moment, timezone.now())


@register.filter
def plus_one(index: int | None) -> int | None:
    """A slice index as people count, from one."""
    return None if index is None else index + 1


@register.inclusion_tag("components/meter.html")
def meter(share: float | None, level: str = "", label: str = "", wide: bool = False) -> dict[str, Any]:
    """A bar of a share from 0 to 1."""
    width = 0 if share is None else round(METER_WIDTH * min(max(share, 0), 1), 1)
    return {"width": width, "level": level, "label": label, "wide": wide, "absent": share is None}


@register.inclusion_tag("components/queue.html")
def queue_status() -> dict[str, Any]:
    """How many jobs are being read and how many wait, over all sites: figures only."""
    by_state = Job._base_manager.filter(state__in=Job.OPEN).order_by().values_list("state")
    counts = dict(by_state.annotate(n=Count("*")))
    return {"running": counts.get(Job.State.RUNNING, 0), "waiting": counts.get(Job.State.QUEUED, 0)}


@register.simple_tag(takes_context=True)
def query_with(context: dict[str, Any], **changes: Any) -> str:
    """The query string of this page with some values changed; an empty value removes one."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value not in (None, ""):
            query[name] = value
    for cursor in {"after", "before"} - set(changes):
        query.pop(cursor, None)
    return f"?{query.urlencode()}" if query else "?"


@register.simple_tag
def is_staff_of(person: Any) -> bool:
    """Whether somebody works at a site, and does not merely refer or do research."""
    return bool(person.is_authenticated and person.sites_as(*STAFF_ROLES))


@register.simple_tag
def also_refers(person: Any) -> bool:
    """Whether somebody who works at a site refers patients to another one."""
    return bool(not person.is_only_referrer and person.sites_as("referrer"))


@register.simple_tag
def roles_of(person: Any) -> str:
    """The roles of a person over all sites, in words."""
    held = set().union(*person.roles.values()) if person.is_authenticated and person.roles else set()
    return ", ".join(sorted(held))
