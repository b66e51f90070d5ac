"""REST: the networks with their cards. They belong to the installation; every member may read them."""

from __future__ import annotations

from typing import Any

from rest_framework import mixins, serializers, viewsets

from inference import registry
from inference.models import Network


class NetworkSerializer(serializers.ModelSerializer[Network]):
    """`manifest` says how the weights are fed and which thresholds hold; null where nobody knows it."""

    metrics = serializers.SerializerMethodField()
    manifest = serializers.SerializerMethodField()

    class Meta:
        model = Network
        fields = ["id", "task", "version", "sha256", "state", "created_at", "metrics", "manifest", "card"]
        read_only_fields = fields

    def get_metrics(self, row: Network) -> dict[str, Any]:
        return {key: value for key, value in row.metrics.items() if key != registry.MANIFEST}

    def get_manifest(self, row: Network) -> dict[str, Any] | None:
        return registry.manifest_of(row)


class NetworkViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Network]):
    """What reads the scans: weights by their hash, state, figures and model card."""

    queryset = Network.objects.order_by("-id")
    serializer_class = NetworkSerializer
    filterset_fields = ["task", "state", "sha256"]

    def list(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        registry.shipped_rows()
        return super().list(request, *args, **kwargs)
