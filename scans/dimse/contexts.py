"""What the listener accepts: images and what belongs to them, in every encoding that can be kept."""

from __future__ import annotations

from pydicom.uid import UID, AllTransferSyntaxes
from pynetdicom import AllStoragePresentationContexts
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from scans.dicom import sop_classes

NOT_KEPT = ("JPIP", "MPEG", "HEVC", "SMPTE")
"""JPIP leaves the pixels at the sender (PS3.5 A.6); the others are video."""


def transfer_syntaxes() -> list[UID]:
    """Every standard encoding of images that carries its pixels."""
    return [uid for uid in AllTransferSyntaxes if not any(word in uid.name for word in NOT_KEPT)]


def kept_classes() -> list[UID]:
    """Images of every kind and the documents of a CT archive: the same as every other road takes."""
    known = [UID(context.abstract_syntax or "") for context in AllStoragePresentationContexts]
    images = [uid for uid in known if "Image Storage" in uid.name or sop_classes.is_document(uid)]
    return sorted({*images, *map(UID, sop_classes.CT_IMAGES), *map(UID, sop_classes.SEGMENTATIONS)})


def supported() -> list[PresentationContext]:
    """Presentation contexts of the listener: verification and storage."""
    syntaxes: list[str | UID] = [*transfer_syntaxes()]
    return [build_context(Verification), *(build_context(uid, syntaxes) for uid in kept_classes())]
