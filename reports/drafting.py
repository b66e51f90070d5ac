"""The words of a draft report: pure functions from facts to text. A radiologist edits every one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from reports.presentation import thickness

if TYPE_CHECKING:
    from patients.models import RiskProfile
    from reports.facts import StudyFacts
    from reports.nodules import Nodule

NO_NODULE = "No suspicious pulmonary nodule."
RECOMMENDATION = "Management according to the applicable guideline, by the radiologist."
NO_CONTRAST = ("", "NONE", "NO")
MASS_MM = 30.0  # above this a nodule is called a mass (CLINICAL, glossary)


def draft_texts(facts: StudyFacts) -> dict[str, str]:
    """The text of each section of a new draft.

    That there is no nodule is only said once the study was read and every finding rejected; before that
    findings and impression stay empty, and an empty impression is not signed.
    """
    kept = [nodule for nodule in facts.nodules if nodule.is_kept]
    settled = bool(facts.software.get("read")) and not any(one.is_undecided for one in facts.nodules)
    told = bool(kept) or settled
    return {
        "indication": indication(facts.description, facts.indication, facts.risk),
        "comparison": comparison(facts.priors),
        "technique": technique(facts),
        "findings": findings(kept, facts.software) if told else refusal_line(facts.software),
        "impression": impression(kept) if told else "",
        "recommendation": RECOMMENDATION,
    }


def indication(description: str, stated: str, risk: RiskProfile | None) -> str:
    examination = f"{description}. " if description else ""
    reason = f"{stated.rstrip('.')}." if stated else "Indication not stated with the images."
    return f"{examination}{reason}{_smoking(risk)}"


def _smoking(risk: RiskProfile | None) -> str:
    if risk is None or not risk.smoking:
        return ""
    parts = [str(risk.get_smoking_display())]
    if risk.pack_years is not None:
        parts.append(f"{risk.pack_years:.0f} pack-years")
    if risk.quit_date is not None:
        parts.append(f"quit in {risk.quit_date.year}")
    return f" {', '.join(parts).capitalize()} (as stated on {day(risk.stated_on)})."


def comparison(priors: Sequence[date]) -> str:
    return f"CT of {', '.join(day(prior) for prior in priors)}." if priors else "None available."


def technique(facts: StudyFacts) -> str:
    parts = [facts.modality or "Modality not stated"]
    if facts.slice_thickness_mm is not None:
        parts.append(f"slice thickness {thickness(facts.slice_thickness_mm)}")
    if facts.kernel:
        parts.append(f"kernel {facts.kernel}")
    if facts.kvp is not None:
        parts.append(f"{facts.kvp:.0f} kVp")
    agent = facts.contrast_agent
    parts.append("no contrast agent recorded" if agent.upper() in NO_CONTRAST else f"contrast agent: {agent}")
    return f"{', '.join(parts)}."


def findings(kept: Sequence[Nodule], software: Mapping[str, Any]) -> str:
    """A sentence per nodule; the refusal of a series that was read all the same comes first."""
    lines = [sentence(nodule) for nodule in kept] or [NO_NODULE]
    refusal = refusal_line(software)
    return "\n".join([refusal, *lines] if refusal else lines)


def sentence(nodule: Nodule) -> str:
    """One nodule in the words of CLINICAL 9.3."""
    noun = "mass" if (nodule.long_axis_mm or 0) > MASS_MM else ""
    kind = " ".join(part for part in (nodule.type_label, noun) if part)
    parts = [kind, *nodule.character, nodule.location, size(nodule), image(nodule)]
    parts = [part for part in parts if part]
    return f"Nodule {nodule.number}: {', '.join(parts)}."


def size(nodule: Nodule) -> str:
    long, short, mean = nodule.long_axis_mm, nodule.short_axis_mm, nodule.mean_diameter_mm
    if long is None or short is None or mean is None:
        return "size not measured"
    return f"{tenths(long)} x {tenths(short)} mm (mean {tenths(mean)} mm)"


def image(nodule: Nodule) -> str:
    parts = (("series", nodule.series_number), ("image", nodule.image_number))
    return " ".join(f"{word} {number}" for word, number in parts if number is not None)


def impression(kept: Sequence[Nodule]) -> str:
    if not kept:
        return NO_NODULE
    largest = max(kept, key=lambda nodule: nodule.mean_diameter_mm or 0)
    where = ", ".join(part for part in (largest.type_label, largest.location) if part)
    measure = f"mean diameter {tenths(largest.mean_diameter_mm or 0)} mm"
    if len(kept) == 1:
        return f"One pulmonary nodule ({where}), {measure}."
    return f"{len(kept)} pulmonary nodules; the largest is nodule {largest.number} ({where}), {measure}."


def refusal_line(software: Mapping[str, Any]) -> str:
    """First line of everything that comes from a series that was read although it was refused."""
    refusal = str(software.get("refusal") or "")
    if not refusal or not software.get("read"):
        return ""
    return f"Read at a radiologist's request although the acquisition was refused: {refusal}"


def software_statement(software: Mapping[str, Any]) -> list[str]:
    """Lines of the software statement (CLINICAL 9.5)."""
    if not software.get("read"):
        reason = str(software.get("not_read_reason") or "").strip()
        return [f"Not read by the networks{f': {reason}' if reason else '.'}", _marks(software)]
    product = f"{software['product']} {software.get('code_version', '')}".strip()
    refusal = refusal_line(software)
    moment = software["read_at"][:16].replace("T", " ")
    lines = [
        f"{product}, pipeline {software['pipeline']}, read on {moment} UTC{_series(software)}.",
        _marks(software),
        _checks(software),
    ]
    return [refusal, *lines] if refusal else lines


def _series(software: Mapping[str, Any]) -> str:
    series = software.get("series") or {}
    number, description = series.get("number"), series.get("description")
    name = " ".join(str(part) for part in (number, description) if part not in (None, ""))
    return f", series {name}" if name else ""


def _marks(software: Mapping[str, Any]) -> str:
    marks = software.get("marks") or {}
    words = ("shown", "accepted", "corrected", "rejected", "undecided")
    counted = [f"{marks.get(word, 0)} {word}" for word in words if word != "undecided" or marks.get(word)]
    return f"Computer marks: {', '.join(counted)}; {marks.get('added', 0)} added by the reader."


def _checks(software: Mapping[str, Any]) -> str:
    raised = [
        f"{check['code']}: {check.get('sentence', '')}".strip()
        for check in software.get("checks") or []
        if check.get("level", "").upper() != "INFO"
    ]
    return f"Acquisition checks: {' '.join(raised) if raised else 'none raised.'}"


def tenths(value: float) -> str:
    """One decimal, half up as CLINICAL 1.5 asks (Python rounds half to even)."""
    return str(Decimal(str(value)).quantize(Decimal("0.1"), ROUND_HALF_UP))


def percent(probability: float) -> str:
    """One decimal; below a tenth of a percent no false precision (CLINICAL 1.1), and nothing made certain."""
    if 0 <= probability < 0.001:
        return "< 0.1 %"
    if 0.9995 <= probability < 1:
        return "> 99.9 %"
    return f"{(Decimal(str(probability)) * 100).quantize(Decimal('0.1'), ROUND_HALF_UP)} %"


def day(value: date) -> str:
    """12 Mar 2026, in English whatever the locale: nobody takes the month for the day."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{value.day} {months[value.month - 1]} {value.year}"
