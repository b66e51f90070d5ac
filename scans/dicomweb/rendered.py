"""WADO-RS: rendered pictures and thumbnails (PS3.18 sections 8.3.5, 10.4.1.1.3 and 10.4.1.1.4)."""

from __future__ import annotations

import math
from dataclasses import astuple

from django.db.models import QuerySet
from django.http import Http404, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from accounts.permissions import person_of
from core.problems import UserError
from scans.dicom.refusal import Refused
from scans.dicom.rendering import FUNCTIONS, Look, Viewport, encode, render
from scans.dicom.window import Window
from scans.dicomweb.frames import frame_numbers
from scans.dicomweb.metadata import etag, not_modified, tagged, unchanged
from scans.dicomweb.negotiation import Offer, choose, wanted
from scans.dicomweb.resource import INSTANCE_COLUMNS, Resource, instance_of, series_of, study_of
from scans.models import Instance
from scans.volumes import open_instance

JPEG, PNG = "image/jpeg", "image/png"
OFFERS = (Offer(JPEG), Offer(PNG))
DEFAULT_QUALITY = 90
LARGEST_VIEWPORT = 4096
THUMBNAIL = Viewport(128, 128)
NEWER = "1"
"""Changes when the same question gets another picture than before, so that browsers ask again."""


class Unprocessable(UserError):
    status = 422


class RenderedInstance(Resource):
    """The first frame, or the frame that the path names, as PNG or JPEG."""

    def get(
        self,
        request: Request,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uid: str,
        frames: str = "1",
    ) -> HttpResponseBase:
        instance = instance_of(request, study_instance_uid, series_instance_uid, sop_instance_uid)
        numbers = frame_numbers(frames)
        if len(numbers) > 1:
            raise UserError("one_frame", "One frame is rendered at a time: name one.")
        return picture(request, instance, numbers[0] - 1, look_of(request.query_params))


class InstanceThumbnail(Resource):
    """A small picture of an instance or of one of its frames."""

    def get(
        self,
        request: Request,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uid: str,
        frames: str = "1",
    ) -> HttpResponseBase:
        instance = instance_of(request, study_instance_uid, series_instance_uid, sop_instance_uid)
        return _thumbnail(request, instance, frame_numbers(frames)[0] - 1)


class SeriesThumbnail(Resource):
    """A small picture of a series: its middle image."""

    def get(self, request: Request, study_instance_uid: str, series_instance_uid: str) -> HttpResponseBase:
        return _thumbnail(request, _middle_of_series(request, study_instance_uid, series_instance_uid))


class StudyThumbnail(Resource):
    """A small picture of a study: the middle image of the series that is read, else of the largest one."""

    def get(self, request: Request, study_instance_uid: str) -> HttpResponseBase:
        return _thumbnail(request, _middle_of_study(request, study_instance_uid))


class RenderedSeries(Resource):
    """The same picture of a series in its full size."""

    def get(self, request: Request, study_instance_uid: str, series_instance_uid: str) -> HttpResponseBase:
        middle = _middle_of_series(request, study_instance_uid, series_instance_uid)
        return picture(request, middle, 0, look_of(request.query_params))


class RenderedStudy(Resource):
    """The same picture of a study in its full size."""

    def get(self, request: Request, study_instance_uid: str) -> HttpResponseBase:
        middle = _middle_of_study(request, study_instance_uid)
        return picture(request, middle, 0, look_of(request.query_params))


def picture(request: Request, instance: Instance, frame: int, look: Look) -> HttpResponseBase:
    """One picture; not drawn again for a client that has it.

    Raises
    ------
    Unprocessable : the pixels cannot be shown, with the reason.
    """
    media_type = choose(wanted(request), OFFERS).media_type
    quality = _quality(request.query_params)
    tag = etag(NEWER, instance.sha256, media_type, str((frame, quality, _key(look))))
    if unchanged(request, tag):
        return not_modified(tag)
    try:
        with open_instance(instance) as file:
            drawn = encode(render(file, frame, look), media_type, quality)
    except Refused as refused:
        if refused.code in ("NO_FRAME", "NO_PIXELS"):
            raise Http404 from refused
        raise Unprocessable(refused.code.lower(), refused.sentence) from refused
    return tagged(HttpResponse(drawn, content_type=media_type), tag)


def look_of(query: QueryDict) -> Look:
    """Window and viewport of a query (PS3.18 sections 8.3.5.1.3 and 8.3.5.1.4).

    Raises
    ------
    UserError : one of them makes no sense.
    """
    window, function = None, "linear"
    if stated := query.get("window", ""):
        window, function = _window(stated)
    part = query.get("viewport", "")
    return Look(window, function, _viewport(part) if part else None)


def _window(stated: str) -> tuple[Window, str]:
    center, width, function = [part.strip() for part in f"{stated},,".split(",")][:3]
    function = function.lower() or "linear"
    numbers = _numbers([center, width])
    least = 1 if function == "linear" else 0
    if numbers is None or numbers[1] < least or numbers[1] == 0 or function not in FUNCTIONS:
        raise UserError(
            "bad_window",
            "A window is center,width,function with a width of 1 at least; functions: linear, linear-exact, "
            "sigmoid.",
        )
    return Window(*numbers), function


def _viewport(stated: str) -> Viewport:
    given = [part.strip() for part in stated.split(",")]
    numbers = _numbers([part or "0" for part in given])
    if (
        numbers is None
        or len(numbers) not in (2, 6)
        or not all(1 <= size <= LARGEST_VIEWPORT for size in numbers[:2])
    ):
        raise UserError(
            "bad_viewport",
            f"A viewport is width,height or width,height,x,y,width,height, with sides from 1 to "
            f"{LARGEST_VIEWPORT}.",
        )
    width, height, left, top, part_width, part_height = (int(n) for n in (*numbers, 0, 0, 0, 0)[:6])
    return Viewport(
        width, height, max(left, 0), max(top, 0), abs(part_width), abs(part_height),
        flip_x=part_width < 0, flip_y=part_height < 0,
    )  # fmt: skip


def _numbers(parts: list[str]) -> list[float] | None:
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return None
    return numbers if all(math.isfinite(n) and abs(n) < 1e6 for n in numbers) else None


def _quality(query: QueryDict) -> int:
    stated = query.get("quality", "")
    if stated and (not stated.isdigit() or len(stated) > 3 or not 1 <= int(stated) <= 100):
        raise UserError("bad_quality", "quality is a whole number from 1 to 100.")
    return int(stated or DEFAULT_QUALITY)


def _key(look: Look) -> str:
    return str((look.window, look.function, look.viewport and astuple(look.viewport)))


def _thumbnail(request: Request, instance: Instance, frame: int = 0) -> HttpResponseBase:
    look = look_of(request.query_params)
    return picture(request, instance, frame, Look(look.window, look.function, look.viewport or THUMBNAIL))


def _middle_of_series(request: Request, study_instance_uid: str, series_instance_uid: str) -> Instance:
    series = series_of(request, study_instance_uid, series_instance_uid)
    return _middle(request, Instance.objects.filter(series=series))


def _middle_of_study(request: Request, study_instance_uid: str) -> Instance:
    study = study_of(request, study_instance_uid)
    largest = study.series.order_by("-instance_count", "pk").values_list("pk", flat=True).first()
    return _middle(request, Instance.objects.filter(series=study.read_series_id or largest))


def _middle(request: Request, found: QuerySet[Instance]) -> Instance:
    visible = Instance.objects.visible_to(person_of(request))
    keys = list(
        found.filter(pk__in=visible.values("pk"))
        .order_by("position", "instance_number", "pk")
        .values_list("pk", flat=True)
    )
    if not keys:
        raise Http404
    return Instance.objects.only(*INSTANCE_COLUMNS).get(pk=keys[len(keys) // 2])
