"""REST: patients and their risk profiles."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.permissions import person_of
from core.api import ReadOnlyRows
from patients.filters import PatientFilter
from patients.models import Patient, RiskProfile
from patients.registration import change_patient, register_patient, state_risk_profile
from patients.serializers import NewPatientSerializer, PatientSerializer, RiskProfileSerializer


class PatientViewSet(mixins.UpdateModelMixin, ReadOnlyRows):
    """Patients; the same number of another issuer, or at another site, is another patient."""

    queryset = Patient.objects.select_related("site")
    serializer_class = PatientSerializer
    filterset_class = PatientFilter

    @extend_schema(request=NewPatientSerializer, responses={201: PatientSerializer})
    def create(self, request: Request) -> Response:
        given = NewPatientSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        patient = register_patient(person_of(request), **given.validated_data)
        return Response(PatientSerializer(patient).data, status=status.HTTP_201_CREATED)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        serializer.instance = change_patient(
            person_of(self.request), self.get_object(), **serializer.validated_data
        )

    @extend_schema(methods=["GET"], responses=RiskProfileSerializer(many=True), filters=False)
    @extend_schema(methods=["POST"], request=RiskProfileSerializer, responses={201: RiskProfileSerializer})
    @action(detail=True, methods=["get", "post"], url_path="risk-profiles", pagination_class=None)
    def risk_profiles(self, request: Request, pk: str) -> Response:
        """What risk models ask about the patient, newest statement first; a new one is added."""
        patient = self.get_object()
        if request.method == "POST":
            return self._state(request, patient)
        profiles = RiskProfile.objects.visible_to(person_of(request)).filter(patient=patient)
        found = profiles.select_related("stated_to")
        return Response(RiskProfileSerializer(found, many=True).data)

    def _state(self, request: Request, patient: Patient) -> Response:
        given = RiskProfileSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        profile = state_risk_profile(person_of(request), patient, **given.validated_data)
        return Response(RiskProfileSerializer(profile).data, status=status.HTTP_201_CREATED)
