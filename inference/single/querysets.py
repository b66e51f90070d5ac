"""What may be asked about single images."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from core.querysets import SiteQuerySet

if TYPE_CHECKING:
    from inference.single.models import SingleImage


class SingleImageQuerySet(SiteQuerySet["SingleImage"]):
    def visible_to(self, person: AbstractBaseUser | AnonymousUser) -> Self:
        """The person's own images, as long as they work at the site that they sent them for."""
        return super().visible_to(person).filter(person=person.pk)

    def sent_before(self, moment: datetime) -> Self:
        """Images older than a moment, whatever became of them."""
        return self.filter(created_at__lt=moment)

    def unheard_since(self, moment: datetime) -> Self:
        """Waiting images whose last message was sent before a moment."""
        return self.filter(state="waiting", asked_at__lt=moment)
