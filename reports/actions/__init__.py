"""What people do with findings and reports: one function per use case, one transaction each."""

from reports.actions.addenda import add_addendum
from reports.actions.decisions import add_nodule, decide, revise_added
from reports.actions.drafts import edited_by_other, open_draft, redraft, save_draft
from reports.actions.signing import sign

__all__ = [
    "add_addendum",
    "add_nodule",
    "decide",
    "edited_by_other",
    "open_draft",
    "redraft",
    "revise_added",
    "save_draft",
    "sign",
]
