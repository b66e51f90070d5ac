"""One function per task: data in, figures and the sections of the report out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.cnn.evaluation import detection, luna, malignancy, more_sections, reduction, sections, whole
from inference.cnn.evaluation.chosen import Chosen, chosen
from inference.cnn.evaluation.end_to_end import from_own_detector
from inference.cnn.evaluation.errors import EvaluationError, NotShippedError
from inference.cnn.evaluation.froc import froc_figures
from inference.cnn.evaluation.neighbours import Neighbourhood, points_of
from inference.cnn.evaluation.nodules import cases, folder_of, splits_of
from inference.cnn.evaluation.page import Section
from inference.cnn.evaluation.segmentation import by_readers, dice_block, draw_all
from inference.cnn.naming import task_named

Told = Callable[[str, float], None]


@dataclass(frozen=True)
class Request:
    """What is to be measured on what; `limit` takes the first nodules, patches or scans alone."""

    task: str
    data: Path
    split: str = "val"
    weights: Path | None = None
    limit: int | None = None
    brief: bool = False
    froc: luna.FrocFiles | None = None
    tell: Told = field(default=lambda what, part: None, repr=False)


@dataclass(frozen=True)
class Evaluation:
    """Figures by key, a sentence for the head of the report, its sections, and the networks' hashes."""

    figures: Mapping[str, Any]
    lead: str
    sections: list[Section]
    networks: Mapping[str, str]


def _networks(request: Request, network: str) -> Chosen:
    return chosen(network, request.weights).for_crops()


def segmentation(request: Request) -> Evaluation:
    found = cases(request.data, request.split, request.limit)
    networks = _networks(request, "outline")
    drawn = draw_all(found, networks, synthetic=False, tell=lambda p: request.tell("outlines", p))
    block = {
        **by_readers(drawn),
        "protocol": "Stack of the outlined slices, reflected beyond its ends and sides; the centre is "
        "known to within 8 px; no size is given. Dice in 3D against voxels of at least half of the readers.",
    }
    if not request.brief:
        many = [case for case in found if case.readers >= 3]
        beyond = draw_all(many, networks, synthetic=True, tell=lambda p: request.tell("extended", p))
        block["extended"] = dice_block(beyond)
        block["end_to_end"] = from_own_detector(found, networks, lambda p: request.tell("end to end", p))
    lead = "How well the outlines agree with the radiologists who drew the same nodules."
    shown = sections.segmentation_sections(drawn, block)
    return Evaluation(block, lead, shown, networks.hashes("candidates", "reduction", "outline"))


def rating(request: Request) -> Evaluation:
    found = cases(request.data, request.split, request.limit)
    malignancy.check_rated(found)
    networks = _networks(request, "malignancy")
    rated = malignancy.rate_all(found, networks, synthetic=True, tell=lambda p: request.tell("ratings", p))
    block = {
        **malignancy.malignancy_block(rated),
        "at_least_3_readers": malignancy.malignancy_block(malignancy.at_least(rated, 3)),
        "diagnosis": malignancy.diagnosis_figures(_lidc(request), rated),
        "note": malignancy.FEATURES_NOTE,
        "protocol": "Mean rating below 3 against above 3 (exactly 3 left out). From the network's own "
        "outline, started from a centre moved by up to 8 px and one slice; synthetic slices beyond the "
        "stack, so that its length tells nothing; no readers, no size.",
    }
    if not request.brief:
        mirrored = malignancy.rate_all(
            found, networks, synthetic=False, tell=lambda p: request.tell("reflected", p)
        )
        block["auc_reflected"] = malignancy.malignancy_block(mirrored)["auc"]
    lead = (
        "How well the rating follows the radiologists' opinion. It is an opinion, not pathology; size alone "
        "explains most of it, and leaving out the rating 3 makes the task easier than the clinic."
    )
    shown = sections.malignancy_sections(malignancy.decided(rated), block)
    return Evaluation(block, lead, shown, networks.hashes("outline", "malignancy"))


def _lidc(request: Request) -> Path:
    return folder_of(request.data, "lidc", "*_nodules.csv")


def on_crops(request: Request) -> Evaluation:
    found = cases(request.data, request.split, request.limit)
    networks = _networks(request, "candidates")
    folder = _lidc(request)
    points = [p for split in splits_of(folder, request.split) for p in points_of(folder, split)]
    known = Neighbourhood(found, points)
    searched = detection.search_all(found, networks, lambda p: request.tell("windows", p))
    thin = detection.marks_that_count(searched, known, detection.thin_stack)
    second = detection.marks_that_count(searched, known, detection.after_second_look)
    first = detection.marks_that_count(searched, known, detection.candidates_only)
    sets = {"thin stacks": thin, "whole scans: second look": second, "whole scans: candidates": first}
    threshold = float(networks["seeker"].manifest["threshold"])
    others = {"networks_of_whole_scans": second, "candidates_only": first}
    block = {
        **detection.detection_block(thin, others, threshold),
        "protocol": "Windows of 64 x 64 px moved by up to 12 px, read as so thin a stack is in service: by "
        "the network for thin stacks, on the image alone, mirrored in z. The networks of whole scans beside "
        f"it, the window continued by reflection. At most {detection.MOST_MARKS} marks a window. Nodules of "
        "at least three readers, 3 mm and more; marks on any reader's outline or point mark are no false "
        "positives. Rates per 5 litres of image.",
    }
    lead = (
        "How many nodules are marked at how many false alarms. Crops hold a nodule each: these rates are not "
        "those of whole scans."
    )
    shown = more_sections.detection_sections(searched, known, sets, block)
    return Evaluation(block, lead, shown, networks.hashes("seeker", "candidates", "reduction"))


def on_patches(request: Request) -> Evaluation:
    given = reduction.patches(request.data, request.split, request.limit)
    networks = chosen("patches", request.weights)
    block: dict[str, Any] = {"protocol": "LUNA16 patches, 50 x 50 px, split by patient; 8 bits, JPEG."}
    shown: list[Section] = []
    try:
        scores = reduction.patch_scores(given, networks)
        block |= reduction.patch_figures(given, scores)
        shown = more_sections.reduction_sections(given, scores, block)
    except NotShippedError as error:
        block |= {"auc": None, "sensitivity_at_fpr_1pct": None, "n": len(given.label), "note": str(error)}
        shown = [Section("Not measured", str(error), "")]
    if not request.brief:
        parent = next((p for p in (request.data, request.data.parent) if (p / "whole").is_dir()), None)
        if parent is not None and (parent / "lidc").is_dir():
            block["reduction_3d"] = reduction.second_look_figures(parent, networks)
    lead = "How well nodules are told from what is taken for them. Class shares are those of the source."
    return Evaluation(block, lead, shown, networks.hashes("patches", "reduction"))


def on_slices(request: Request) -> Evaluation:
    from inference.cnn.slices.evaluation import figures

    folder = folder_of(request.data, "iq-oth-nccd", "images.csv")
    networks = chosen("slices", request.weights)
    block: dict[str, Any] = {
        **figures(folder, request.split, networks["slices"]),
        "protocol": "IQ-OTH/NCCD, whole groups (patients as far as known) kept together.",
    }
    lead = (
        "How well single slices are told apart when whole patients are kept together. The lung is black in "
        "these images: not evidence of clinical worth."
    )
    return Evaluation(block, lead, more_sections.slices_sections(block), networks.hashes("slices"))


def program(request: Request) -> Evaluation:
    files = request.froc or luna.named_in(request.data)
    marks = luna.matched(files)
    block = {
        **froc_figures(marks),
        "n_scans": len(marks.field),
        "files": {k: str(v) for k, v in vars(files).items() if v},
        "protocol": "LUNA16: a mark within the radius hits; the best mark of a nodule counts; marks on "
        "excluded findings are dropped. Interval by bootstrap over scans.",
    }
    lead = "Sensitivity of a list of marks against false positives per scan."
    return Evaluation(block, lead, more_sections.froc_sections(marks, block), {})


def on_whole_scans(request: Request) -> Evaluation:
    networks = chosen("candidates", request.weights)
    read = whole.read_all(request.data, request.split, networks, limit=request.limit)
    block = {
        **whole.whole_figures(request.data, read),
        "protocol": "Every scan as it is read in service, at the shipped threshold.",
    }
    lead = "What is found on whole scans: the rank of every known lesion, and everything that nobody marked."
    return Evaluation(block, lead, more_sections.whole_sections(read, block), networks.loaded.networks)


TASKS: dict[str, Callable[[Request], Evaluation]] = {
    "detection": on_crops,
    "reduction": on_patches,
    "segmentation": segmentation,
    "malignancy": rating,
    "slices": on_slices,
    "froc": program,
    "whole": on_whole_scans,
}


def task_of(name: str) -> str:
    """The task that a person means, `froc` and `whole` among them."""
    if name in TASKS:
        return name
    try:
        return task_named(name)
    except ValueError as error:
        raise EvaluationError(f"There is no task {name!r}; there are: {', '.join(TASKS)}.") from error
