"""REST: who am I?"""

from __future__ import annotations

from rest_framework.generics import RetrieveAPIView

from accounts.models import Person
from accounts.serializers import MeSerializer


class MeView(RetrieveAPIView[Person]):
    """The person whose token or session this is, with their sites and roles."""

    serializer_class = MeSerializer

    def get_object(self) -> Person:
        return self.request.user  # type: ignore[return-value]
