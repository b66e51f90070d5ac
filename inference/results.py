"""Writing down what the networks said: once, whole, and only by the worker that holds the job."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from django.core.files.storage import default_storage
from django.db import transaction
from numpy.typing import NDArray

from core.version import CODE_VERSION
from inference import jobs
from inference.cnn.reading import FoundNodule, VolumeReading
from inference.models import NO_VOLUME_CODES, Finding, Job, Pipeline, Reading
from inference.pipeline import current_pipeline
from inference.summary import show_reading
from scans.dicom.volume import BuiltVolume
from scans.dicom.window import Crop, render_key_image
from scans.storage import put

KEY_IMAGES = "key-images"
KEY_IMAGE_MM = 70.0
SENSITIVITY = "sensitivity"


def write(job: Job, said: VolumeReading, volume: BuiltVolume, pipeline: Pipeline | None = None) -> Reading:
    """Write a reading with its findings and end the job, in one transaction.

    `pipeline` is the one that read, the one in force if left out.

    Raises
    ------
    LeaseLostError : another worker holds the job by now; nothing is written.
    """
    images = [_key_image(nodule, volume) for nodule in said.findings]
    with transaction.atomic():
        row = jobs.held(job)
        reading = _reading(row, said, pipeline or current_pipeline())
        Finding.objects.bulk_create(_findings(reading, said, images))
        jobs.end(row)
        show_reading(row.study, reading)
    return reading


def _reading(job: Job, said: VolumeReading, pipeline: Pipeline) -> Reading:
    return Reading.objects.create(
        site_id=job.site_id,
        study=job.study,
        volume=job.volume,
        job=job,
        pipeline=pipeline,
        volume_digest=job.volume.digest,
        code_version=CODE_VERSION,
        scan_probability=said.scan_probability,
        confidence=said.confidence,
        lung_ml=said.lung_ml,
        checks=job.volume.series.checks,
        timings_s=dict(said.timings_s),
        networks=dict(said.networks),
        doubts=list(said.doubts),
        unfamiliar=[asdict(one) for one in said.unfamiliar],
    )


def _findings(reading: Reading, said: VolumeReading, images: list[str]) -> Iterator[Finding]:
    """Rows of the findings; volumes are left out where the slices are too thick for them (W_NOVOL)."""
    with_volume = not {check["code"] for check in reading.checks} & set(NO_VOLUME_CODES)
    for number, (nodule, image) in enumerate(zip(said.findings, images, strict=True), start=1):
        yield Finding(
            site_id=reading.site_id,
            study_id=reading.study_id,
            reading=reading,
            number=number,
            center_mm=list(nodule.center_mm),
            slice_index=nodule.slice_index,
            mask_start=list(nodule.start),
            mask_shape=list(nodule.mask.shape),
            mask_bits=zlib.compress(np.packbits(nodule.mask).tobytes()),
            long_axis_mm=nodule.long_axis_mm,
            short_axis_mm=nodule.short_axis_mm,
            mean_diameter_mm=nodule.mean_diameter_mm,
            volume_mm3=nodule.volume_mm3 if with_volume else None,
            type=nodule.type,
            side=nodule.side,
            p_nodule=nodule.p_nodule,
            malignancy=nodule.malignancy,
            malignancy_low=nodule.malignancy_low,
            malignancy_high=nodule.malignancy_high,
            key_image=image,
            **_character(nodule),
        )


def _character(nodule: FoundNodule) -> dict[str, Any]:
    """Columns beside size and malignancy; empty where the reading makes no statement."""
    said, solid, doubt = nodule.character, nodule.character.solid, nodule.doubt
    return {
        "solid_long_axis_mm": solid.long_axis_mm if solid else None,
        "solid_short_axis_mm": solid.short_axis_mm if solid else None,
        "solid_mean_diameter_mm": solid.mean_diameter_mm if solid else None,
        "calcification": said.calcification or "",
        "calcified_share": said.calcified_share,
        "fat": said.fat,
        "spiculation": said.spiculation or "",
        "margin": said.margin or "",
        "third": said.third or "",
        "pleura": said.pleura or "",
        "pleura_mm": said.pleura_mm,
        "traits": dict(said.traits),
        "confidence": doubt.confidence if doubt else "",
        "doubts": list(doubt.reasons) if doubt else [],
        **_sensitivity(nodule),
    }


def _sensitivity(nodule: FoundNodule) -> dict[str, Any]:
    """Store the map of sensitivity, where there is one."""
    if nodule.sensitivity is None:
        return {}
    file = io.BytesIO()
    np.savez_compressed(file, values=nodule.sensitivity.values)
    return {"sensitivity": put(SENSITIVITY, file), "sensitivity_start": list(nodule.sensitivity.start)}


def sensitivity_of(finding: Finding) -> NDArray[np.uint8]:
    """The stored map, uint8 (z, y, x), to be placed at `sensitivity_start` of the volume."""
    with default_storage.open(finding.sensitivity, "rb") as file, np.load(file, allow_pickle=False) as stored:
        return np.asarray(stored["values"], np.uint8)


def _key_image(nodule: FoundNodule, volume: BuiltVolume) -> str:
    """Render the slice with the largest outline, and store the picture."""
    mask = np.zeros(volume.hu.shape[1:], bool)
    z = nodule.slice_index - nodule.start[0]
    rows, columns = nodule.mask.shape[1:]
    top, left = nodule.start[1:]
    mask[top : top + rows, left : left + columns] = nodule.mask[z]
    pixel_mm = volume.geometry.spacing_mm[1:]
    middle = (top + rows / 2, left + columns / 2)
    side_mm = max(KEY_IMAGE_MM, 2.5 * nodule.long_axis_mm)
    crop = _crop(middle, side_mm, pixel_mm, volume.geometry.shape[1:])
    picture = render_key_image(volume.hu[nodule.slice_index], mask, crop=crop, pixel_mm=pixel_mm)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return put(KEY_IMAGES, file)


def _crop(
    middle: tuple[float, float], side_mm: float, pixel_mm: tuple[float, float], shape: tuple[int, int]
) -> Crop:
    """A square of `side_mm` around a place (row, column), moved so that it lies inside the slice."""
    sides = [min(round(side_mm / mm), size) for mm, size in zip(pixel_mm, shape, strict=True)]
    starts = [
        int(min(max(center - side / 2, 0), size - side))
        for center, side, size in zip(middle, sides, shape, strict=True)
    ]
    return Crop(starts[0], starts[1], sides[0], sides[1])


def mask_of(finding: Finding) -> NDArray[np.bool_]:
    """The outline of a stored finding, bool (z, y, x), to be placed at `mask_start` of the volume."""
    shape = tuple(finding.mask_shape)
    bits = np.frombuffer(zlib.decompress(bytes(finding.mask_bits)), np.uint8)
    return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)
