"""Segmentations, structured reports and documents as other programs read them back."""

from __future__ import annotations

import datetime as dt
import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import Segmentation
from highdicom.sr import Comprehensive3DSR
from pydicom import Dataset, dcmread

from scans.dicom.geometry import Geometry
from scans.dicom.objects.document import write_document
from scans.dicom.objects.identity import Placing, derived_uid, image_header, study_header, to_bytes
from scans.dicom.objects.measurements import Signature, Stated, private_codes, write_measurements
from scans.dicom.objects.nodules import Outline, ReportedNodule, Software
from scans.dicom.objects.segmentation import write_segmentation
from scans.dicom.part10 import open_part10
from tests.dicom_files import ct_image

GEOMETRY = Geometry((12, 32, 32), (1.0, 0.7, 0.7), (0.0, 0.0, 0.0))
SOFTWARE = Software("2026.1", "a" * 64, "0.1.0", {"candidates": "b" * 64, "outline": "c" * 64})
STARTS = ((2, 4, 4), (3, 6, 6))
NAME = "Müller^Jürgen"


def header(number: int, **changes: object) -> Dataset:
    return image_header(open_part10(io.BytesIO(ct_image(number, **changes))).dataset)


def placing(kind: str) -> Placing:
    moment = dt.datetime(2026, 3, 12, 10, 30)
    return Placing(derived_uid(kind), derived_uid(kind, "series"), 9001, kind, moment, "0.1.0")


def mask(number: int) -> np.ndarray:
    """Ragged outlines; the two overlap in the volume."""
    return np.random.default_rng(number).random((4, 6, 7)) < 0.6


def nodule(number: int, outline: Outline | None) -> ReportedNodule:
    return ReportedNodule(
        number=number,
        tracking_uid=derived_uid("nodule", number),
        status="accepted" if outline else "added",
        type="solid",
        side="right" if outline else "",
        location="right lung",
        center_mm=(1.0, 2.0, 5.0),
        slice_index=5,
        long_axis_mm=8.0,
        short_axis_mm=6.0,
        mean_diameter_mm=7.0,
        volume_mm3=100.0 if outline else None,
        p_nodule=0.9 if outline else None,
        outline=outline,
    )


@pytest.fixture(scope="module")
def sources() -> dict[int, Dataset]:
    return {z: header(z, PatientName=NAME, SpecificCharacterSet="ISO_IR 100") for z in range(12)}


@pytest.fixture(scope="module")
def nodules() -> list[ReportedNodule]:
    """Two with overlapping outlines, one that a person added."""
    found = [nodule(k, Outline(mask(k), start)) for k, start in enumerate(STARTS, start=1)]
    return [*found, nodule(3, None)]


@pytest.fixture(scope="module")
def segmentation(nodules: list[ReportedNodule], sources: dict[int, Dataset]) -> Segmentation:
    return read_back(
        write_segmentation(nodules[:2], sources, GEOMETRY, SOFTWARE, placing("seg")), Segmentation
    )


@pytest.fixture(scope="module")
def report(
    nodules: list[ReportedNodule], sources: dict[int, Dataset], segmentation: Segmentation
) -> Comprehensive3DSR:
    signature = Signature("North^Radia", "North Clinic")
    stated = Stated(nodules, sources, segmentation, SOFTWARE, 0.81, signature)
    return read_back(write_measurements(stated, placing("sr")), Comprehensive3DSR)


def read_back(made: Dataset, kind: type) -> Dataset:
    return kind.from_dataset(dcmread(io.BytesIO(to_bytes(made))))


def voxels_of(segmentation: Segmentation, channel: int) -> set[tuple[int, ...]]:
    volume = segmentation.get_volume(combine_segments=False)
    places = volume.map_indices_to_reference(np.argwhere(volume.array[..., channel]))
    return {tuple(np.rint(GEOMETRY.to_index(place)).astype(int)) for place in places}


@pytest.mark.parametrize("k", [0, 1])
def test_an_outline_comes_back_voxel_for_voxel(segmentation: Segmentation, k: int) -> None:
    expected = {tuple(voxel) for voxel in np.argwhere(mask(k + 1)) + STARTS[k]}

    assert voxels_of(segmentation, k) == expected


def test_outlines_that_do_not_meet_come_back_too(sources: dict[int, Dataset]) -> None:
    apart = [nodule(1, Outline(mask(1), (0, 0, 0))), nodule(2, Outline(mask(2), (8, 20, 20)))]
    made = write_segmentation(apart, sources, GEOMETRY, SOFTWARE, placing("apart"))
    back = read_back(made, Segmentation)

    assert back.SegmentsOverlap == "NO"
    assert voxels_of(back, 1) == {tuple(voxel) for voxel in np.add(np.argwhere(mask(2)), (8, 20, 20))}


def test_a_volume_that_is_not_its_images_keeps_its_own_geometry(sources: dict[int, Dataset]) -> None:
    finer = Geometry((24, 32, 32), (0.5, 0.7, 0.7), (0.0, 0.0, 0.25))
    halves = {z: sources[z // 2] for z in range(24)}
    outlined = [nodule(1, Outline(mask(1), (5, 4, 4)))]
    back = read_back(write_segmentation(outlined, halves, finer, SOFTWARE, placing("finer")), Segmentation)

    heights = sorted({float(g.PlanePositionSequence[0].ImagePositionPatient[2])
                      for g in back.PerFrameFunctionalGroupsSequence})  # fmt: skip
    assert heights == [2.75, 3.25, 3.75, 4.25]


def test_segments_are_coded_and_name_their_algorithm(segmentation: Segmentation) -> None:
    first = segmentation.get_segment_description(1)
    algorithm = segmentation.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]

    assert (first.segmented_property_type.value, first.segment_label) == ("27925004", "Nodule 1")
    assert first.AnatomicRegionSequence[0].AnatomicRegionModifierSequence[0].CodeMeaning == "Right"
    assert algorithm.AlgorithmVersion == "2026.1"
    assert "c" * 64 in str(algorithm.AlgorithmParameters)


def test_each_frame_refers_to_its_image(segmentation: Segmentation, sources: dict[int, Dataset]) -> None:
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        z = round(float(group.PlanePositionSequence[0].ImagePositionPatient[2]))
        reference = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert reference.ReferencedSOPInstanceUID == sources[z].SOPInstanceUID


def test_the_structured_report_refers_to_the_segments(
    report: Comprehensive3DSR, segmentation: Segmentation
) -> None:
    groups = report.content.get_volumetric_roi_measurement_groups()

    assert [group.tracking_uid for group in groups] == [
        one.TrackingUID for one in segmentation.SegmentSequence
    ]
    references = [group.referenced_segment[0].ReferencedSOPSequence[0] for group in groups]
    assert [one.ReferencedSegmentNumber for one in references] == [1, 2]
    assert {one.ReferencedSOPInstanceUID for one in references} == {segmentation.SOPInstanceUID}


def test_figures_stand_in_the_structured_report_with_their_units(report: Comprehensive3DSR) -> None:
    first = report.content.get_volumetric_roi_measurement_groups()[0]
    figures = {one.name.meaning: (one.value, one.unit.value) for one in first.get_measurements()}

    assert figures["Diameter"] == (7.0, "mm")
    assert figures["Volume"] == (100.0, "mm3")
    assert figures["Probability that the mark is a nodule"] == (0.9, "1")


def test_a_nodule_without_outline_is_a_point_in_the_patient(report: Comprehensive3DSR) -> None:
    added = report.content.get_image_measurement_groups()[0]
    point = added.get_measurements()[0].referenced_coordinates[0]

    assert [float(part) for part in point.GraphicData] == [1.0, 2.0, 5.0]


def test_names_of_any_character_set_are_written_in_utf8(report: Comprehensive3DSR) -> None:
    assert (report.SpecificCharacterSet, str(report.PatientName)) == ("ISO_IR 192", NAME)


def test_a_document_carries_the_pdf_and_the_study(sources: dict[int, Dataset]) -> None:
    made = dcmread(
        io.BytesIO(to_bytes(write_document(b"%PDF-1.7 odd", sources[0], "Report", placing("pdf"))))
    )

    assert made.EncapsulatedDocument[: made.EncapsulatedDocumentLength] == b"%PDF-1.7 odd"
    assert made.StudyInstanceUID == sources[0].StudyInstanceUID


def test_what_is_unknown_is_empty_and_not_absent() -> None:
    bare = study_header(open_part10(io.BytesIO(ct_image(PatientSex="X", StudyDate="unknown"))).dataset)

    assert (bare.PatientSex, bare.StudyDate, bare.StudyID, str(bare.ReferringPhysicianName)) == (
        "",
        "",
        "",
        "",
    )


def test_made_twice_the_bytes_are_the_same(
    nodules: list[ReportedNodule], sources: dict[int, Dataset], segmentation: Segmentation
) -> None:
    again = write_segmentation(nodules[:2], sources, GEOMETRY, SOFTWARE, placing("seg"))

    assert to_bytes(again) == to_bytes(segmentation)


def test_our_own_codes_are_told_apart() -> None:
    values = [code.value for code in private_codes()]

    assert len(set(values)) == len(values)
    assert all(len(code.value) <= 16 and len(code.meaning) <= 64 for code in private_codes())


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dciodvfy (Debian: dicom3tools) is not installed")
@pytest.mark.parametrize("kind", ["segmentation", "report", "document"])
def test_dciodvfy_finds_no_error(
    kind: str, request: pytest.FixtureRequest, sources: dict[int, Dataset], tmp_path: Path
) -> None:
    if kind == "document":
        made = write_document(b"%PDF-1.7", sources[0], "Radiology report", placing("pdf"))
    else:
        made = request.getfixturevalue(kind)
    (tmp_path / "made.dcm").write_bytes(to_bytes(made))
    said = subprocess.run(
        ["dciodvfy", "-new", str(tmp_path / "made.dcm")], capture_output=True, text=True, check=False
    )
    assert [line for line in said.stderr.splitlines() if line.startswith("Error")] == []
