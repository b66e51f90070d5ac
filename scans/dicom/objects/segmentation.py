"""Outlines of nodules as a DICOM segmentation (PS3.3 A.51): binary, one segment per nodule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from highdicom import (
    AlgorithmIdentificationSequence,
    PixelMeasuresSequence,
    PlaneOrientationSequence,
    PlanePositionSequence,
)
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from scans.dicom.geometry import Geometry
from scans.dicom.objects.identity import (
    MANUFACTURER,
    MODEL,
    SERIAL,
    UTF8,
    Placing,
    derived_uid,
    settle,
)
from scans.dicom.objects.nodules import ABNORMAL, LATERALITY, LUNG, NODULE, Outline, ReportedNodule, Software

SAME_PLACE_MM = 1e-3
LABEL = "NODULES"
MILLIMETRE_DIGITS = 6


def write_segmentation(
    nodules: Sequence[ReportedNodule],
    sources: dict[int, Dataset],
    geometry: Geometry,
    software: Software,
    placing: Placing,
) -> Dataset:
    """The outlines of `nodules` on the slices of a volume.

    Parameters
    ----------
    nodules : at least one, each with an outline; segment k is the k-th of them.
    sources : image headers (`image_header`) by slice index, for every slice that an outline touches.
    geometry : of the volume whose voxels the outlines mark. Where the images lie elsewhere (a sheared or
        resampled volume), the frames carry the places of the volume.
    """
    slices = touched_slices([one.outline for one in nodules if one.outline])
    images = _distinct([sources[z] for z in slices])
    made = Segmentation(
        source_images=images,
        pixel_array=_pixels(nodules, slices, geometry.shape),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(k, one, software) for k, one in enumerate(nodules, start=1)],
        series_instance_uid=placing.series_instance_uid,
        series_number=placing.series_number,
        sop_instance_uid=placing.sop_instance_uid,
        instance_number=placing.instance_number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL,
        software_versions=placing.software_version,
        device_serial_number=SERIAL,
        content_label=LABEL,
        content_description="Outlines of pulmonary nodules",
        series_description=placing.series_description,
        specific_character_set=UTF8,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **({} if _lie_on(images, slices, geometry) else _places(slices, geometry)),
    )
    _fix_dimension_uid(made, derived_uid(placing.sop_instance_uid, "dimensions"))
    return settle(made, placing)


def touched_slices(outlines: Sequence[Outline]) -> list[int]:
    """Indices of the slices in which an outline has a voxel, in order."""
    found: set[int] = set()
    for outline in outlines:
        found.update(outline.start[0] + int(z) for z in np.flatnonzero(outline.mask.any(axis=(1, 2))))
    return sorted(found)


def _distinct(images: Sequence[Dataset]) -> list[Dataset]:
    """Each image once: the slices of a multi-frame image share one."""
    return list({str(image.SOPInstanceUID): image for image in images}.values())


def _pixels(
    nodules: Sequence[ReportedNodule], slices: Sequence[int], shape: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Labels (slice, y, x) where no two outlines meet, else one plane per segment (slice, y, x, segment)."""
    place = {z: k for k, z in enumerate(slices)}
    size = (len(slices), *shape[1:])
    labels, overlap = np.zeros(size, np.uint8), len(nodules) > np.iinfo(np.uint8).max
    for number, nodule in enumerate(nodules, start=1):
        for plane, mask in _planes(labels, nodule, place):
            overlap |= bool(plane[mask].any())
            if not overlap:
                plane[mask] = number
    if not overlap:
        return labels
    stacked = np.zeros((len(nodules), *size), np.uint8)
    for one, nodule in zip(stacked, nodules, strict=True):
        for plane, mask in _planes(one, nodule, place):
            plane[mask] = 1
    return np.moveaxis(stacked, 0, -1)


def _planes(
    array: NDArray[np.uint8], nodule: ReportedNodule, place: dict[int, int]
) -> list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
    """The part of each plane that an outline covers, and its voxels there."""
    outline = nodule.outline
    assert outline is not None  # noqa: S101 - the caller passes nodules with an outline
    first, top, left = outline.start
    rows, columns = outline.mask.shape[1:]
    return [
        (array[place[first + z], top : top + rows, left : left + columns], mask)
        for z, mask in enumerate(outline.mask)
        if mask.any()
    ]


def _segment(number: int, nodule: ReportedNodule, software: Software) -> SegmentDescription:
    description = SegmentDescription(
        segment_number=number,
        segment_label=nodule.label,
        segmented_property_category=ABNORMAL,
        segmented_property_type=NODULE,
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=MODEL,
            family=codes.DCM.ArtificialIntelligence,
            version=software.pipeline_version,
            source=MANUFACTURER,
            parameters=software.parameters,
        ),
        tracking_uid=nodule.tracking_uid,
        tracking_id=nodule.label,
        anatomic_regions=[LUNG],
    )
    if nodule.side in LATERALITY:
        side = LATERALITY[nodule.side]
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator = side.value, side.scheme_designator
        item.CodeMeaning = side.meaning
        description.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [item]
    return description


def _lie_on(images: Sequence[Dataset], slices: Sequence[int], geometry: Geometry) -> bool:
    """Whether each slice of the volume is one image, unmoved."""
    if len(images) != len(slices) or any("ImagePositionPatient" not in image for image in images):
        return False
    if any((image.Rows, image.Columns) != geometry.shape[1:] for image in images):
        return False
    there = np.array([[float(v) for v in image.ImagePositionPatient] for image in images])
    here = np.array([geometry.to_mm((z, 0, 0)) for z in slices])
    turned = np.array([[float(v) for v in image.ImageOrientationPatient] for image in images])
    axes = np.ravel(geometry.direction[:2])
    return bool(np.allclose(there, here, atol=SAME_PLACE_MM) and np.allclose(turned, axes, atol=1e-4))


def _places(slices: Sequence[int], geometry: Geometry) -> dict[str, Any]:
    """The geometry of the volume for images that do not lie on it."""
    apart, *pixel = geometry.spacing_mm
    positions = [np.round(geometry.to_mm((z, 0, 0)), MILLIMETRE_DIGITS).tolist() for z in slices]
    return {
        "pixel_measures": PixelMeasuresSequence(
            pixel_spacing=pixel, slice_thickness=apart, spacing_between_slices=apart
        ),
        "plane_orientation": PlaneOrientationSequence(
            "PATIENT", [float(part) for axis in geometry.direction[:2] for part in axis]
        ),
        "plane_positions": [PlanePositionSequence("PATIENT", position) for position in positions],
    }


def _fix_dimension_uid(made: Dataset, uid: str) -> None:
    """The library draws this UID by lot; ours follows the object, so that it is the same each time."""
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid
