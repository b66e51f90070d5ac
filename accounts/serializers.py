"""People and sites in JSON."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Membership, Person, Site

ROLES = serializers.ListField(child=serializers.ChoiceField(choices=Membership.Role.choices))


class SiteSerializer(serializers.ModelSerializer[Site]):
    class Meta:
        model = Site
        fields = ["id", "code", "name"]


class SiteWithRolesSerializer(SiteSerializer):
    roles = serializers.SerializerMethodField()

    class Meta(SiteSerializer.Meta):
        fields = [*SiteSerializer.Meta.fields, "roles"]

    @extend_schema_field(ROLES)
    def get_roles(self, site: Site) -> list[str]:
        return sorted(self.context["request"].user.roles.get(site.pk, ()))


class PersonSerializer(serializers.ModelSerializer[Person]):
    class Meta:
        model = Person
        fields = ["id", "name", "email"]


class MeSerializer(PersonSerializer):
    """Who holds the token, and the roles that it gives at each site."""

    sites = serializers.SerializerMethodField()

    class Meta(PersonSerializer.Meta):
        fields = [*PersonSerializer.Meta.fields, "sites"]

    @extend_schema_field(SiteWithRolesSerializer(many=True))
    def get_sites(self, person: Person) -> object:
        sites = Site.objects.filter(pk__in=list(person.roles))
        return SiteWithRolesSerializer(sites, many=True, context=self.context).data
