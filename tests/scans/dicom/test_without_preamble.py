"""Files that lack their preamble are read where their meta information is there."""

from __future__ import annotations

import numpy as np
import pytest

from scans.dicom.headers import read_header
from scans.dicom.pixels import decode
from scans.dicom.refusal import Refused
from tests.dicom_files import ct_image

WHOLE = ct_image()


@pytest.mark.parametrize("left_out", [128, 132])
def test_a_file_without_preamble_is_the_same_image(left_out: int) -> None:
    assert read_header(WHOLE[left_out:]) == read_header(WHOLE)
    assert np.array_equal(decode(WHOLE[left_out:]), decode(WHOLE))


def test_a_file_without_meta_information_is_refused() -> None:
    start = WHOLE.index(b"\x08\x00\x08\x00CS")
    with pytest.raises(Refused, match="NOT_DICOM"):
        read_header(WHOLE[start:])
