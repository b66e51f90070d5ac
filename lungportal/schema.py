"""What the OpenAPI document leaves out, and what it adds to every operation."""

from __future__ import annotations

from typing import Any

from core.problems import MEDIA_TYPE

REST = "/api/v1/"
PROBLEM = {
    "type": "object",
    "description": "RFC 9457; `type` is a stable code, `detail` a sentence for people.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "example": "urn:lungportal:problem:report_is_final"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "object", "description": "Sentences for each field that is wrong."},
    },
}


def only_rest(endpoints: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """DICOMweb is described by DICOM PS3.18, not here."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(REST)]


def with_problems(result: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Every operation answers errors as problem details."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    answer = {
        "description": "What is wrong.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = answer
    return result
