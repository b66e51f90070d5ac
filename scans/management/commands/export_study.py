"""Write a study to a folder or a zip, as it came or without identity."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.audit import record
from core.models import AuditEntry
from scans.deidentify.export import export_study
from scans.dicom.deidentify.options import Options
from scans.models import Study

KEPT = {
    "keep_dates": "keep dates and times of the examination (birth dates go)",
    "keep_descriptors": "keep descriptions, without words that name somebody",
    "keep_patient": "keep sex, age, size, weight and smoking",
    "keep_device": "keep serial number and station of the scanner",
}


class Command(BaseCommand):
    help = "Write a study as DICOM files with a DICOMDIR; --deidentify takes the identity out (PS3.15)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study_instance_uid")
        parser.add_argument("--out", type=Path, required=True, help="an empty folder, or a name in .zip")
        parser.add_argument("--site", default="", help="code of the site, if several hold the study")
        parser.add_argument("--deidentify", action="store_true")
        parser.add_argument("--keep-captures", action="store_true", help="with secondary captures")
        for name, text in KEPT.items():
            parser.add_argument(f"--{name.replace('_', '-')}", action="store_true", help=text)

    def handle(self, *args: Any, **options: Any) -> None:
        kept = {name: options[name] for name in KEPT}
        if not options["deidentify"] and (any(kept.values()) or options["keep_captures"]):
            raise CommandError("The --keep options belong to --deidentify. Add it, or leave them out.")
        study = _study(options["study_instance_uid"], options["site"])
        chosen = Options(**kept) if options["deidentify"] else None
        try:
            done = export_study(study, options["out"], chosen, keep_captures=options["keep_captures"])
        except FileExistsError as error:
            raise CommandError(
                f"{options['out']} is there already. Name an empty or a new folder."
            ) from error
        record(AuditEntry.Action.VIEW, study, route="export_study --deidentify" if chosen else "export_study")
        for warning in done.warnings:
            self.stderr.write(self.style.WARNING(warning))
        self.stdout.write(f"{done.files} files in {options['out']}")


def _study(uid: str, site: str) -> Study:
    found = Study.objects.filter(study_instance_uid=uid).select_related("site", "patient")
    if site:
        found = found.filter(site__code=site)
    studies = list(found[:2])
    if not studies:
        raise CommandError("There is no such study. Check the UID and --site.")
    if len(studies) > 1:
        raise CommandError("Several sites hold this study. Name one with --site.")
    return studies[0]
