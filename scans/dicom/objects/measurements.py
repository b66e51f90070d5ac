"""Findings as a structured report after TID 1500 (PS3.16), in a Comprehensive 3D SR (PS3.3 A.35.13)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    Comprehensive3DSR,
    CoordinatesForMeasurement3D,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    GraphicTypeValues3D,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    QualitativeEvaluation,
    ReferencedSegment,
    SourceImageForMeasurementGroup,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from scans.dicom.objects import nodules as n
from scans.dicom.objects.identity import (
    MANUFACTURER,
    MODEL,
    UTF8,
    Placing,
    derived_uid,
    settle,
)

Group = VolumetricROIMeasurementsAndQualitativeEvaluations | MeasurementsAndQualitativeEvaluations


@dataclass(frozen=True)
class Signature:
    """Who answers for the report, as a DICOM person name, and at which hospital."""

    person_name: str
    organization: str


@dataclass(frozen=True)
class Stated:
    """What a structured report states of one study.

    Attributes
    ----------
    sources : headers of the images that it refers to, by slice index; at least one.
    segmentation : the object with the outlines, if there is one; its segments are in the order of the
        nodules that have an outline.
    software, scan_probability : None where no network read the study.
    signature : None for a report that nobody has signed: it says that it is unverified.
    """

    nodules: Sequence[n.ReportedNodule]
    sources: dict[int, Dataset]
    segmentation: Dataset | None
    software: n.Software | None
    scan_probability: float | None
    signature: Signature | None

    @property
    def is_empty(self) -> bool:
        """Nothing to state: no network read it, and nobody marked a nodule."""
        return not self.nodules and self.scan_probability is None


def write_measurements(stated: Stated, placing: Placing) -> Dataset:
    """The structured report; TID 1500 asks for at least one group, so `stated` must not be empty."""
    images = list({str(one.SOPInstanceUID): one for one in stated.sources.values()}.values())
    evidence = [*images, stated.segmentation] if stated.segmentation is not None else images
    signature = stated.signature
    report = Comprehensive3DSR(
        evidence=evidence,
        content=_content(stated, images),
        series_instance_uid=placing.series_instance_uid,
        series_number=placing.series_number,
        series_description=placing.series_description,
        sop_instance_uid=placing.sop_instance_uid,
        instance_number=placing.instance_number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL,
        software_versions=placing.software_version,
        is_complete=True,
        is_final=signature is not None,
        is_verified=signature is not None,
        verifying_observer_name=signature.person_name if signature else None,
        verifying_organization=signature.organization if signature else None,
        specific_character_set=UTF8,
        coding_schemes=[CodingSchemeIdentificationItem(n.PRIVATE, name=n.PRIVATE_NAME)],
    )
    for observer in report.get("VerifyingObserverSequence", []):
        observer.VerificationDateTime = f"{placing.moment:%Y%m%d%H%M%S}"
    return settle(report, placing)


def _content(stated: Stated, images: Sequence[Dataset]) -> MeasurementReport:
    return MeasurementReport(
        observation_context=_observers(stated.signature),
        procedure_reported=n.CT_CHEST,
        imaging_measurements=list(_groups(stated)),
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=images,
    )


def _observers(signature: Signature | None) -> ObservationContext:
    device = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=derived_uid("device", MODEL), name=MODEL, manufacturer_name=MANUFACTURER, model_name=MODEL
        ),
    )
    if signature is None:
        return ObservationContext(observer_device_context=device)
    person = ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(
            name=signature.person_name, organization_name=signature.organization
        ),
    )
    return ObservationContext(observer_person_context=person, observer_device_context=device)


def _groups(stated: Stated) -> Iterator[Group]:
    segment = 0
    for nodule in stated.nodules:
        segment += nodule.outline is not None
        yield _of_nodule(nodule, stated, segment if nodule.outline is not None else None)
    if stated.scan_probability is not None:
        yield _of_scan(stated, stated.scan_probability)


def _of_nodule(nodule: n.ReportedNodule, stated: Stated, segment: int | None) -> Group:
    common: dict[str, Any] = {
        "tracking_identifier": TrackingIdentifier(uid=nodule.tracking_uid, identifier=nodule.label),
        "finding_type": n.NODULE,
        "finding_sites": [FindingSite(n.LUNG, laterality=n.LATERALITY.get(nodule.side))],
        "measurements": list(_measurements(nodule, stated)),
        "qualitative_evaluations": list(_evaluations(nodule)),
    }
    if segment is not None and stated.segmentation is not None:
        first = next(iter(stated.sources.values()))
        return VolumetricROIMeasurementsAndQualitativeEvaluations(
            referenced_segment=ReferencedSegment(
                sop_class_uid=stated.segmentation.SOPClassUID,
                sop_instance_uid=stated.segmentation.SOPInstanceUID,
                segment_number=segment,
                source_series=SourceSeriesForSegmentation(first.SeriesInstanceUID),
            ),
            **common,
        )
    image = stated.sources.get(nodule.slice_index) if nodule.slice_index is not None else None
    shown = [SourceImageForMeasurementGroup(image.SOPClassUID, image.SOPInstanceUID)] if image else None
    return MeasurementsAndQualitativeEvaluations(source_images=shown, **common)


def _measurements(nodule: n.ReportedNodule, stated: Stated) -> Iterator[Measurement]:
    """Sizes, place and scores; the algorithm stands beside every figure that no person has given."""
    by_networks = _algorithm(stated) if nodule.outline is not None else None
    places = _point(nodule, stated) if nodule.outline is None else None
    if nodule.mean_diameter_mm is not None:
        yield Measurement(
            n.DIAMETER,
            _rounded(nodule.mean_diameter_mm),
            n.MM,
            derivation=n.MEAN,
            algorithm_id=by_networks,
            referenced_coordinates=places,
        )
    for name, value, unit in (
        (n.LONG_AXIS, nodule.long_axis_mm, n.MM),
        (n.SHORT_AXIS, nodule.short_axis_mm, n.MM),
        (n.VOLUME, nodule.volume_mm3, n.MM3),
    ):
        if value is not None:
            yield Measurement(name, _rounded(value), unit, algorithm_id=by_networks)
    for name, place in zip(n.CENTRE, nodule.center_mm or (), strict=False):
        yield Measurement(name, _rounded(place), n.MM)
    yield from _scores(nodule, stated)


def _scores(nodule: n.ReportedNodule, stated: Stated) -> Iterator[Measurement]:
    for name, value in (
        (n.P_NODULE, nodule.p_nodule),
        (n.SUSPICION, nodule.malignancy),
        (n.SUSPICION_LOW, nodule.malignancy_low),
        (n.SUSPICION_HIGH, nodule.malignancy_high),
    ):
        if value is not None:
            yield Measurement(name, _rounded(value), n.NO_UNIT, algorithm_id=_algorithm(stated))


def _point(nodule: n.ReportedNodule, stated: Stated) -> list[CoordinatesForMeasurement3D] | None:
    """The centre of a nodule without outline, where the images name their frame of reference.

    Beside a segment TID 1411 allows no coordinates.
    """
    frame = next(iter(stated.sources.values())).get("FrameOfReferenceUID")
    if nodule.center_mm is None or not frame:
        return None
    centre = np.array([nodule.center_mm], np.float64)
    return [CoordinatesForMeasurement3D(GraphicTypeValues3D.POINT, centre, frame)]


def _evaluations(nodule: n.ReportedNodule) -> Iterator[QualitativeEvaluation]:
    if nodule.type in n.TYPES:
        yield QualitativeEvaluation(n.ATTENUATION, n.TYPES[nodule.type])
    if nodule.status in n.DECISIONS:
        yield QualitativeEvaluation(n.DECISION, n.DECISIONS[nodule.status])


def _of_scan(stated: Stated, probability: float) -> MeasurementsAndQualitativeEvaluations:
    """What the networks said of the scan as a whole."""
    series = next(iter(stated.sources.values())).SeriesInstanceUID
    score = Measurement(n.SCAN_PROBABILITY, _rounded(probability), n.NO_UNIT, algorithm_id=_algorithm(stated))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=derived_uid("scan", series), identifier="Scan"),
        finding_sites=[FindingSite(n.LUNG)],
        measurements=[score],
    )


def _algorithm(stated: Stated) -> AlgorithmIdentification | None:
    software = stated.software
    if software is None:
        return None
    parameters = [f"{name}: {value}" for name, value in software.parameters.items()]
    return AlgorithmIdentification(MODEL, software.pipeline_version, parameters=parameters)


def _rounded(value: float) -> float:
    """Four digits after the point: far below what is measured, and short enough for a DICOM number."""
    return round(float(value), 4)


def private_codes() -> list[Code]:
    """Every code of our own, for the documentation and its test."""
    single = [n.ATTENUATION, n.P_NODULE, n.SUSPICION, n.SUSPICION_LOW, n.SUSPICION_HIGH, n.SCAN_PROBABILITY]
    return [*single, n.DECISION, *n.TYPES.values(), *n.CENTRE, *n.DECISIONS.values()]
