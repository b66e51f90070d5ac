"""The tables of the scans room."""

from scans.models.arrivals import Quarantined, Upload, UploadedFile
from scans.models.studies import Instance, Series, Study, Volume

__all__ = ["Instance", "Quarantined", "Series", "Study", "Upload", "UploadedFile", "Volume"]
