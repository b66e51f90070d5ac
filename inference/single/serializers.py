"""Single images in JSON."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from inference.cnn.slices.dataset import CLASSES
from inference.single.actions import KEPT
from inference.single.models import SingleImage


class RemarkSerializer(serializers.Serializer[dict[str, Any]]):
    """Why the answer may mean little: a stable code and a sentence."""

    code = serializers.CharField()
    sentence = serializers.CharField()


class OutlineSerializer(serializers.Serializer[dict[str, Any]]):
    """A nodule's outline: [x, y] in pixels of the image, without repeating the first point at the end."""

    points = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()))
    p_nodule = serializers.FloatField()
    diameter_mm = serializers.FloatField(allow_null=True)


class AnswerSerializer(serializers.Serializer[dict[str, Any]]):
    """`label` and `probabilities` are null where the image is no chest CT; `worth` says what they mean."""

    label = serializers.ChoiceField(choices=CLASSES, allow_null=True)  # type: ignore[assignment] # a field named label
    probability = serializers.FloatField(allow_null=True)
    probabilities = serializers.DictField(child=serializers.FloatField(), allow_null=True)
    confidence = serializers.ChoiceField(choices=("low", "medium", "high"), allow_null=True)
    worth = serializers.CharField()
    remarks = RemarkSerializer(many=True)
    outlines = OutlineSerializer(many=True)
    outline_note = serializers.CharField()
    networks = serializers.DictField(child=serializers.CharField())
    timings_s = serializers.DictField(child=serializers.FloatField())


class SingleImageSerializer(serializers.ModelSerializer[SingleImage]):
    """`answer` is null while `state` is waiting or failed; `reason` says why it failed."""

    url = serializers.SerializerMethodField()
    picture_url = serializers.SerializerMethodField()
    forgotten_at = serializers.SerializerMethodField()
    answer = serializers.SerializerMethodField()

    class Meta:
        model = SingleImage
        fields = [
            "id", "url", "created_at", "forgotten_at", "state", "rows", "columns", "in_hounsfield",
            "picture_url", "answer", "reason",
        ]  # fmt: skip
        read_only_fields = fields

    def get_url(self, image: SingleImage) -> str:
        return str(reverse("api-image-detail", args=[image.pk]))

    def get_picture_url(self, image: SingleImage) -> str:
        return str(reverse("api-image-picture", args=[image.pk]))

    @extend_schema_field(serializers.DateTimeField())
    def get_forgotten_at(self, image: SingleImage) -> str:
        return (image.created_at + KEPT).isoformat()

    @extend_schema_field(AnswerSerializer(allow_null=True))
    def get_answer(self, image: SingleImage) -> dict[str, Any] | None:
        return image.answer if image.state == SingleImage.State.DONE else None
