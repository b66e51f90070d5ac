"""The tables of the scans room."""

from scans.models.arrivals import Quarantined, Upload, UploadedFile
from scans.models.documents import SeriesDocument
from scans.models.keeping import Deletion, StorageQuota
from scans.models.peers import Delivery, Peer, UnknownCaller
from scans.models.research import Release, ResearchSalt
from scans.models.studies import Instance, Series, Study, Volume

__all__ = [
    "Deletion",
    "Delivery",
    "Instance",
    "Peer",
    "Quarantined",
    "Release",
    "ResearchSalt",
    "Series",
    "SeriesDocument",
    "StorageQuota",
    "Study",
    "UnknownCaller",
    "Upload",
    "UploadedFile",
    "Volume",
]
