"""Single images: taken, answered by a worker, forgotten."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import Site
from core.identifiers import uuid7
from core.outbox import promise
from core.problems import UserError
from inference.cnn.slices.opening import Picture, open_picture
from inference.cnn.slices.read import read_picture
from inference.registry import load_in_force
from inference.single import files
from inference.single.models import SingleImage
from scans.dicom.refusal import Refused

if TYPE_CHECKING:
    from accounts.models import Person

logger = logging.getLogger(__name__)

TASK = "inference.tasks.read_image"
LARGEST_MIB = 32
KEPT = timedelta(hours=24)
SILENCE = timedelta(seconds=60)  # a worker may be busy with a whole CT when the image comes
MOST_ATTEMPTS = 3
UNEXPECTED = (
    "The image could not be read because of an unexpected error. "
    "Tell the administrator, who finds it in the log."
)


def take(person: Person, site: Site, file: UploadedFile[Any] | None) -> SingleImage:
    """Keep the picture of an uploaded file and ask for an answer; file name and header are not kept.

    Raises
    ------
    UserError : no file, too large, or nothing that can be read as a picture.
    """
    picture = opened(file)
    key = uuid7()
    name = files.store(picture, key)
    with transaction.atomic():
        image = SingleImage.objects.create(
            pk=key,
            site=site,
            person=person,
            stored=name,
            rows=picture.grey.shape[0],
            columns=picture.grey.shape[1],
            in_hounsfield=picture.hu is not None,
        )
        promise(TASK, image_id=image.pk)
    return image


def opened(file: UploadedFile[Any] | None) -> Picture:
    if file is None:
        raise UserError("no_file", "No image came with the request: send one in the field file.")
    if (file.size or 0) > LARGEST_MIB << 20:
        raise UserError("too_large", f"The file is larger than {LARGEST_MIB} MiB. Send a smaller one.")
    try:
        return open_picture(file.read())
    except Refused as refused:
        raise UserError(refused.code.lower(), refused.sentence) from refused


def answer(image_id: UUID | str) -> None:
    """Read one image that waits; a second message for the same image does nothing."""
    image = _claimed(image_id)
    if image is None:
        return
    try:
        said = _read(image)
    except Exception:
        logger.exception("image %s: attempt %s failed", image.pk, image.attempt)
        if image.attempt >= MOST_ATTEMPTS:
            _end(image, state=SingleImage.State.FAILED, reason=UNEXPECTED)
        return
    _end(image, state=SingleImage.State.DONE, answer=said)


def _claimed(image_id: UUID | str) -> SingleImage | None:
    waiting = SingleImage.objects.filter(pk=image_id, state=SingleImage.State.WAITING)
    waiting.update(attempt=F("attempt") + 1, asked_at=timezone.now())
    return waiting.first()


def _read(image: SingleImage) -> dict[str, Any]:
    """What the networks in force say; TensorFlow belongs to the worker's process alone."""
    return asdict(read_picture(files.restored(image.stored), load_in_force))


def _end(image: SingleImage, **fields: Any) -> None:
    waiting = SingleImage.objects.filter(pk=image.pk, state=SingleImage.State.WAITING)
    waiting.update(ended_at=timezone.now(), **fields)


def ask_again() -> int:
    """Send another message for images that nobody answered, and give up after the third attempt."""
    found = 0
    with transaction.atomic():
        late = SingleImage.objects.select_for_update(skip_locked=True).unheard_since(timezone.now() - SILENCE)
        for image in late:
            found += 1
            if image.attempt >= MOST_ATTEMPTS:
                _end(image, state=SingleImage.State.FAILED, reason=UNEXPECTED)
                continue
            SingleImage.objects.filter(pk=image.pk).update(asked_at=timezone.now())
            promise(TASK, image_id=image.pk)
    return found


def forget(image: SingleImage) -> None:
    """Remove the row (which the audit trail records) and then its file."""
    name = image.stored
    image.delete()
    transaction.on_commit(lambda: files.remove(name))


def forget_old() -> int:
    """Forget what was sent more than a day ago; returns how many images that were."""
    old = list(SingleImage.objects.sent_before(timezone.now() - KEPT))
    for image in old:
        forget(image)
    return len(old)
