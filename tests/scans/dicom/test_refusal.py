"""Damage is told from a failing storage and from a stop that somebody asked for."""

from __future__ import annotations

import pytest

from scans.dicom.pixels import damage_refused
from scans.dicom.refusal import Refused

PanicException = type("PanicException", (BaseException,), {})


@pytest.mark.parametrize(
    "error",
    [ValueError(), RuntimeError(), OSError("No tag to read at file position 1EED6"), PanicException()],
)
def test_whatever_a_decoder_raises_is_damage(error: BaseException) -> None:
    with pytest.raises(Refused, match="PIXELS_DAMAGED"), damage_refused():
        raise error


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), OSError("the disk is gone"), KeyboardInterrupt()]
)
def test_a_failing_storage_and_an_interrupt_are_not(error: BaseException) -> None:
    with pytest.raises(type(error)), damage_refused():
        raise error
