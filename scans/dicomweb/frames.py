"""WADO-RS: frames and other bulk data, bare (PS3.18 sections 10.4.1.1.5 and 10.4.1.1.6)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import BinaryIO

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from pydicom import dcmread
from rest_framework.request import Request

from core.problems import UserError
from scans.dicom.refusal import Refused
from scans.dicom.stored_frames import Frames, can_decode, open_frames
from scans.dicomweb.multipart_out import Part, multipart, with_syntax
from scans.dicomweb.negotiation import (
    ANY,
    DEFAULT_SYNTAX,
    OCTETS,
    MediaRange,
    NotAcceptable,
    Offer,
    choose,
    matches,
    not_acceptable,
    wanted,
)
from scans.dicomweb.resource import Resource, instance_of
from scans.models import Instance
from scans.volumes import open_instance

MEDIA_TYPES = {
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 55, 57, 70)), "image/jpeg"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (80, 81)), "image/jls"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (90, 91)), "image/jp2"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (92, 93)), "image/jpx"),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203)), "image/jphc"),
}
"""Media types of compressed frames (PS3.18 table 8.7.3-2; process 10 and 12 is a JPEG all the same)."""
MOST_FRAMES = 10_000
PIXEL_DATA = "7FE00010"
DOCUMENT = "00420011"
MIME_TYPE = 0x00420012
PDF = "application/pdf"


class RetrieveFrames(Resource):
    """The frames of an instance that the path names, from 1."""

    def get(
        self,
        request: Request,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uid: str,
        frames: str,
    ) -> HttpResponseBase:
        instance = instance_of(request, study_instance_uid, series_instance_uid, sop_instance_uid)
        file = open_instance(instance)
        try:
            return _frames(file, instance, frame_numbers(frames), wanted(request))
        except BaseException:
            file.close()
            raise


class RetrieveBulkData(Resource):
    """The value of one element: pixels, an encapsulated document, or any other binary value."""

    def get(
        self,
        request: Request,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uid: str,
        tag: str,
    ) -> HttpResponseBase:
        instance = instance_of(request, study_instance_uid, series_instance_uid, sop_instance_uid)
        if not re.fullmatch(r"[0-9A-Fa-f]{8}", tag):
            raise Http404
        if tag.upper() == PIXEL_DATA:
            return _pixels(instance, wanted(request))
        value, kind = _value(instance, int(tag, 16))
        types = [OCTETS] if kind == OCTETS else [kind, OCTETS]
        offers = [Offer(one, several) for several in (False, True) for one in types]
        return _sent(value, choose(wanted(request), offers))


def frame_numbers(stated: str) -> list[int]:
    """Frame numbers such as `1,3,4`.

    Raises
    ------
    UserError : it is no such list.
    """
    parts = stated.split(",")
    if len(parts) > MOST_FRAMES or not all(re.fullmatch(r"0*[1-9]\d{0,8}", part) for part in parts):
        raise UserError("bad_frames", "Name frames by their numbers from 1 on, such as 1,2,3.")
    return [int(part) for part in parts]


def _frames(
    file: BinaryIO, instance: Instance, numbers: Sequence[int], ranges: Sequence[MediaRange]
) -> HttpResponseBase:
    frames = opened(file)
    if max(numbers) > frames.count:
        raise Http404
    chosen = choose_encoding(frames, instance.transfer_syntax_uid, ranges, alone=len(numbers) == 1)
    kind = with_syntax(chosen.media_type, chosen.transfer_syntax)
    as_stored = chosen.media_type != OCTETS or not frames.compressed
    if not chosen.multipart:
        with closing(file):
            return HttpResponse(_frame(frames, numbers[0], as_stored), content_type=kind)
    _frame(frames, numbers[0], as_stored)  # what cannot be decoded is told before the answer has begun
    return multipart(_parts(file, frames, numbers, kind, as_stored=as_stored), chosen.media_type)


def opened(file: BinaryIO) -> Frames:
    """The frames of a file; an instance without pixels has no such resource."""
    try:
        return open_frames(file)
    except Refused as refused:
        raise Http404(refused.sentence) from refused


def choose_encoding(frames: Frames, stored: str, ranges: Sequence[MediaRange], *, alone: bool) -> Offer:
    """Compressed as it is stored where the client takes that, else uncompressed.

    `application/octet-stream; transfer-syntax=*`, as viewers ask, takes the stored frames too: their part
    then says what they are. One frame alone may go out without a multipart around it.
    """
    native = [Offer(OCTETS, several, DEFAULT_SYNTAX) for several in ((True, False) if alone else (True,))]
    if not frames.compressed:
        return choose(ranges, native)
    as_stored = Offer(MEDIA_TYPES.get(stored, "image/jpeg"), True, stored)
    offers = [*(native if can_decode(stored) else []), as_stored]
    for one in ranges:
        if _takes_stored(one, as_stored):
            return as_stored
        fitting = next((offer for offer in offers if _takes(one, offer)), None)
        if fitting is not None:
            return fitting
    raise not_acceptable(offers)


def _takes_stored(one: MediaRange, as_stored: Offer) -> bool:
    stored = as_stored.transfer_syntax
    any_octets = matches(one.media_type, OCTETS) and one.transfer_syntax in (ANY, stored)
    own_type = one.media_type == as_stored.media_type and one.transfer_syntax in ("", ANY, stored)
    return one.multipart and (any_octets or own_type)


def _takes(one: MediaRange, offer: Offer) -> bool:
    try:
        return choose([one], [offer]) == offer
    except NotAcceptable:
        return False


def _frame(frames: Frames, number: int, as_stored: bool) -> bytes:
    try:
        return frames.stored(number - 1) if as_stored else frames.native(number - 1)
    except Refused as refused:
        raise NotAcceptable(refused.code.lower(), refused.sentence) from refused


def _parts(
    file: BinaryIO, frames: Frames, numbers: Sequence[int], kind: str, *, as_stored: bool
) -> Iterator[Part]:
    with closing(file):
        for number in numbers:
            yield Part(kind, [_frame(frames, number, as_stored)])


def _pixels(instance: Instance, ranges: Sequence[MediaRange]) -> HttpResponseBase:
    """All frames: native pixels as one value, compressed ones as one part each."""
    file = open_instance(instance)
    try:
        frames = opened(file)
        if frames.compressed:
            return _frames(file, instance, range(1, frames.count + 1), ranges)
        offers = [Offer(OCTETS, True, DEFAULT_SYNTAX), Offer(OCTETS, False, DEFAULT_SYNTAX)]
        chosen = choose(ranges, offers)
    except BaseException:
        file.close()
        raise
    content = _values(file, frames)
    if chosen.multipart:
        return multipart([Part(OCTETS, content)], OCTETS)
    return HttpResponse(b"".join(content), content_type=OCTETS)


def _values(file: BinaryIO, frames: Frames) -> Iterator[bytes]:
    with closing(file):
        yield from frames.whole()


def _value(instance: Instance, tag: int) -> tuple[bytes, str]:
    """A binary value and its media type; the rest of the file is not kept in memory."""
    with open_instance(instance) as file:
        dataset = dcmread(file, specific_tags=[tag, MIME_TYPE], force=True)
    element = dataset.get(tag)
    if element is None or not isinstance(element.value, bytes):
        raise Http404
    kind = str(getattr(dataset.get(MIME_TYPE), "value", "")).lower()
    return element.value, kind if f"{tag:08X}" == DOCUMENT and kind == PDF else OCTETS


def _sent(value: bytes, chosen: Offer) -> HttpResponseBase:
    if chosen.multipart:
        return multipart([Part(chosen.media_type, [value])], chosen.media_type)
    response = HttpResponse(value, content_type=chosen.media_type)
    response["Cache-Control"] = "private, no-cache"
    response["Content-Disposition"] = "inline"
    return response
