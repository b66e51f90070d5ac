"""WADO-RS: a study, a series, an instance as DICOM files (PS3.18 section 10.4.1.1.1)."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from accounts.permissions import person_of
from scans.dicom.part10 import meta_offset
from scans.dicom.refusal import Refused
from scans.dicom.transcoding import LARGEST_BYTES, can_transcode, too_large, transcode
from scans.dicomweb.multipart_out import Part, multipart, with_syntax
from scans.dicomweb.negotiation import (
    ANY,
    DEFAULT_SYNTAX,
    DICOM,
    MediaRange,
    NotAcceptable,
    Offer,
    matches,
    not_acceptable,
    wanted,
)
from scans.dicomweb.resource import INSTANCE_COLUMNS, Resource, base_url, instance_of, series_of, study_of
from scans.dicomweb.stow import StoreInstances
from scans.models import Instance
from scans.volumes import open_instance

CHUNK = 256 * 1024
PREAMBLE = b"\0" * 128
ADDRESS = ("series__series_instance_uid", "series__study__study_instance_uid")


@dataclass(frozen=True)
class Delivery:
    """How an instance goes out: as it is stored, or in Explicit VR Little Endian.

    `must` says that the client named that syntax; otherwise what cannot be decoded goes out as it is stored.
    """

    instance: Instance
    explicit: bool
    must: bool

    def content(self) -> tuple[str, Iterator[bytes]]:
        """The transfer syntax that is sent, and the bytes of the file.

        Raises
        ------
        NotAcceptable : the client insists on an encoding that this file cannot be turned into.
        """
        stored = self.instance.transfer_syntax_uid
        if not self.explicit or stored == DEFAULT_SYNTAX:
            return stored, stored_file(self.instance)
        try:
            return DEFAULT_SYNTAX, iter([transcode(io.BytesIO(self._whole()))])
        except Refused as refused:
            if self.must:
                raise NotAcceptable("not_acceptable", refused.sentence) from refused
            return stored, stored_file(self.instance)

    def _whole(self) -> bytes:
        if self.instance.size > LARGEST_BYTES:
            raise too_large()
        return b"".join(stored_file(self.instance))


def stored_file(instance: Instance) -> Iterator[bytes]:
    """The file as it came, with its preamble cleared: it may hold a program (PS3.10 section 7.5)."""
    with open_instance(instance) as file:
        head = file.read(len(PREAMBLE) + 4)
        offset = meta_offset(head)
        yield PREAMBLE + b"DICM" + head[len(head) if offset is None else offset :]
        while chunk := file.read(CHUNK):
            yield chunk


def delivery(instances: Sequence[Instance], ranges: Sequence[MediaRange]) -> tuple[bool, list[Delivery]]:
    """Whether the answer has several parts, and how each instance goes out.

    Raises
    ------
    NotAcceptable : no entry of `Accept` fits all instances, with what there is.
    """
    syntaxes = {instance.transfer_syntax_uid for instance in instances}
    for one in ranges:
        alone = not one.multipart and not one.takes_anything
        if not matches(one.media_type, DICOM) or (alone and len(instances) > 1):
            continue
        explicit = _goes_explicit(one, syntaxes)
        if explicit is not None:
            must = one.transfer_syntax == DEFAULT_SYNTAX
            return not alone, [Delivery(instance, explicit, must) for instance in instances]
    raise not_acceptable(_offers(syntaxes, len(instances)))


def _goes_explicit(one: MediaRange, syntaxes: set[str]) -> bool | None:
    """Whether to turn all into Explicit VR Little Endian; None where the wish cannot be met.

    A media type without a transfer syntax means that one (PS3.18 section 8.7.3.5.2); who takes anything at
    all gets the stored bytes.
    """
    if one.transfer_syntax == ANY or one.takes_anything or syntaxes == {one.transfer_syntax}:
        return False
    if not one.transfer_syntax:
        return True
    able = all(can_transcode(syntax) for syntax in syntaxes)
    return True if one.transfer_syntax == DEFAULT_SYNTAX and able else None


def _offers(syntaxes: set[str], count: int) -> list[Offer]:
    able = {DEFAULT_SYNTAX} if all(can_transcode(syntax) for syntax in syntaxes) else set()
    named = [*sorted(able | (syntaxes if len(syntaxes) == 1 else set())), ANY]
    kinds = (True, False) if count == 1 else (True,)
    return [Offer(DICOM, several, syntax) for several in kinds for syntax in named]


class RetrieveInstance(Resource):
    """One instance; the only resource that may also go out as a single part."""

    def get(
        self, request: Request, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str
    ) -> HttpResponseBase:
        instance = instance_of(request, study_instance_uid, series_instance_uid, sop_instance_uid)
        several, (out,) = delivery([instance], wanted(request))
        syntax, content = out.content()
        if several:
            return multipart([Part(with_syntax(DICOM, syntax), content)], DICOM)
        response = StreamingHttpResponse(content, content_type=with_syntax(DICOM, syntax))
        response["Content-Disposition"] = f'attachment; filename="{instance.sop_instance_uid}.dcm"'
        response["Cache-Control"] = "private, no-cache"
        return response


class RetrieveSeries(Resource):
    """All instances of a series."""

    def get(self, request: Request, study_instance_uid: str, series_instance_uid: str) -> HttpResponseBase:
        series = series_of(request, study_instance_uid, series_instance_uid)
        return _all_of(request, Instance.objects.filter(series=series))


class RetrieveStudy(Resource):
    """All instances of a study."""

    def get(self, request: Request, study_instance_uid: str) -> HttpResponseBase:
        study = study_of(request, study_instance_uid)
        return _all_of(request, Instance.objects.filter(series__study=study))


class StudyOrStore(RetrieveStudy, StoreInstances):
    """One study: retrieved with GET, added to with POST."""


def _all_of(request: Request, found: QuerySet[Instance]) -> HttpResponse | StreamingHttpResponse:
    person = person_of(request)
    visible = found.filter(pk__in=Instance.objects.visible_to(person).values("pk")).select_related(
        "series__study"
    )
    instances = list(visible.only(*INSTANCE_COLUMNS, *ADDRESS).order_by("series_id", "instance_number", "pk"))
    if not instances:
        raise Http404
    _, out = delivery(instances, wanted(request))
    return multipart(_parts(out, base_url(request)), DICOM)


def _parts(deliveries: Sequence[Delivery], base: str) -> Iterator[Part]:
    for one in deliveries:
        syntax, content = Delivery(one.instance, one.explicit, must=False).content()
        series = one.instance.series
        location = (
            f"{base}/studies/{series.study.study_instance_uid}/series/{series.series_instance_uid}"
            f"/instances/{one.instance.sop_instance_uid}"
        )
        yield Part(with_syntax(DICOM, syntax), content, location)
