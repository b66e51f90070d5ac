"""Long series of compressed slices are decoded in processes of their own, with the same outcome."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import RLELossless

from scans.dicom import decoder_process, decoding, sheltered
from scans.dicom.decoder_process import Decoder, serve
from scans.dicom.decoding import WORTH_A_PROCESS, planes
from scans.dicom.headers import read_header
from scans.dicom.pixels import decode
from scans.dicom.refusal import Refused
from tests.dicom_files import ct_image

COLOUR = ct_image(SamplesPerPixel=3, BitsAllocated=8)


def rle(number: int) -> bytes:
    dataset = dcmread(io.BytesIO(ct_image(number, hu=-900 + number)))
    dataset.compress(RLELossless, generate_instance_uid=False)
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def test_processes_give_the_planes_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "cores", lambda: 2)
    started: list[Decoder] = []
    monkeypatch.setattr(decoding, "Decoder", lambda: started.append(Decoder()) or started[-1])
    files = [rle(k) for k in range(WORTH_A_PROCESS)]
    decoded = list(planes([(read_header(file), lambda file=file: io.BytesIO(file)) for file in files]))
    assert len(started) == 2
    assert [int(plane[0, 0]) for plane in decoded] == [-900 + k for k in range(WORTH_A_PROCESS)]


def test_a_refusal_comes_back_from_the_process() -> None:
    with Decoder() as decoder:
        with pytest.raises(Refused, match="NOT_CT_PIXELS"):
            decoder.decode(COLOUR, 0)
        assert np.array_equal(decoder.decode(ct_image(), 0), decode(ct_image()))


def test_a_decoder_that_dies_takes_only_its_slice_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def dying() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", "import os; os.read(0, 24); os._exit(9)"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    with Decoder() as decoder:
        with monkeypatch.context() as patched:
            patched.setattr(decoder_process, "_started", dying)
            with pytest.raises(Refused, match="PIXELS_DAMAGED"):
                decoder.decode(ct_image(), 0)
        assert decoder.decode(ct_image(hu=-700), 0)[0, 0] == -700


def test_the_far_end_answers_request_by_request() -> None:
    requests, answers = io.BytesIO(), io.BytesIO()
    for content in (ct_image(hu=-500), COLOUR):
        requests.write(decoder_process.REQUEST.pack(0, 0, len(content)) + content)
    requests.seek(0)
    serve(requests, answers)
    first, rest = answers.getvalue().split(b"\n", 1)
    assert first == b'{"shape": [32, 32], "dtype": "<i2"}'
    assert np.frombuffer(rest[: 2 * 32 * 32], "<i2").tolist() == [-500] * 1024
    assert b'"NOT_CT_PIXELS"' in rest[2 * 32 * 32 :]


@pytest.mark.shared
def test_a_jpeg_that_only_gdcm_reads_never_reaches_it_in_this_process(
    monkeypatch: pytest.MonkeyPatch, shared: Path
) -> None:
    def dying() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", "import os; os.read(0, 24); os.abort()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    content = (shared / "data/dicom/variety/encodings/ct-a-jpeg-lossless-sv1.dcm").read_bytes()
    monkeypatch.setattr(sheltered, "_idle", {})
    with monkeypatch.context() as patched:
        patched.setattr(decoder_process, "_started", dying)
        with pytest.raises(Refused, match="PIXELS_DAMAGED"):
            decode(content)
    assert decode(content).shape == (512, 512)
