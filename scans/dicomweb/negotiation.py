"""Which representation a client takes: `Accept` with the parameters of DICOM (PS3.18 8.7.4, 8.7.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.http import HttpRequest
from pydicom.uid import ExplicitVRLittleEndian

from core.problems import UserError

ANY = "*"
MULTIPART = "multipart/related"
DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
JSON = "application/json"
OCTETS = "application/octet-stream"
DEFAULT_SYNTAX = str(ExplicitVRLittleEndian)
_PIECES = re.compile(r'(?:[^,"]|"(?:\\.|[^"])*")+')
_PARAMETERS = re.compile(r';\s*([\w-]+)\s*=\s*("(?:\\.|[^"])*"|[^;\s]*)')


class NotAcceptable(UserError):
    status = 406


@dataclass(frozen=True)
class MediaRange:
    """One entry of an `Accept` header; of a multipart entry, `media_type` is the type of its parts.

    `transfer_syntax` is a UID, `*`, or empty where the client names none (Explicit VR Little Endian then).
    """

    media_type: str
    multipart: bool
    transfer_syntax: str = ""
    quality: float = 1.0

    @property
    def takes_anything(self) -> bool:
        return self.media_type == "*/*" and not self.multipart


@dataclass(frozen=True)
class Offer:
    """A representation that can be sent."""

    media_type: str
    multipart: bool = False
    transfer_syntax: str = ""


def wanted(request: HttpRequest) -> list[MediaRange]:
    """What the client takes, best first; `accept` in the query goes before the header (PS3.18 8.7.4)."""
    stated = request.GET.get("accept") or request.headers.get("Accept") or "*/*"
    ranges = [_range(piece) for piece in _PIECES.findall(stated)]
    return sorted((one for one in ranges if one.quality > 0), key=lambda one: -one.quality)


def choose(ranges: Iterable[MediaRange], offers: Sequence[Offer]) -> Offer:
    """The first offer, in the order in which the client takes them.

    Raises
    ------
    NotAcceptable : with what there is.
    """
    for one in ranges:
        for offer in offers:
            if _fits(one, offer):
                return offer
    raise not_acceptable(offers)


def not_acceptable(offers: Sequence[Offer]) -> NotAcceptable:
    there_is = "; or ".join(dict.fromkeys(_described(offer) for offer in offers))
    return NotAcceptable("not_acceptable", f"This cannot be sent as asked for. Accept {there_is}.")


def matches(pattern: str, media_type: str) -> bool:
    """Whether a media type is of a range such as `image/*`."""
    kind, _, rest = pattern.partition("/")
    return kind in (ANY, media_type.partition("/")[0]) and rest in (ANY, "", media_type.partition("/")[2])


def _range(piece: str) -> MediaRange:
    name = piece.partition(";")[0].strip().lower()
    parameters = {key.lower(): value.strip('"') for key, value in _PARAMETERS.findall(piece)}
    try:
        quality = float(parameters.get("q", 1))
    except ValueError:
        quality = 1.0
    multipart = name == MULTIPART
    inner = parameters.get("type", "*/*").lower() if multipart else name
    return MediaRange(inner, multipart, parameters.get("transfer-syntax", ""), quality)


def _fits(one: MediaRange, offer: Offer) -> bool:
    if one.takes_anything:
        return True
    same_kind = one.multipart == offer.multipart and matches(one.media_type, offer.media_type)
    return same_kind and fits_syntax(one, offer.transfer_syntax)


def fits_syntax(one: MediaRange, syntax: str) -> bool:
    """Whether a range takes a transfer syntax; what has none (JSON, PNG) always fits."""
    return not syntax or one.transfer_syntax == ANY or syntax == (one.transfer_syntax or DEFAULT_SYNTAX)


def _described(offer: Offer) -> str:
    syntax = f"; transfer-syntax={offer.transfer_syntax}" if offer.transfer_syntax else ""
    if offer.multipart:
        return f'{MULTIPART}; type="{offer.media_type}"{syntax}'
    return f"{offer.media_type}{syntax}"
