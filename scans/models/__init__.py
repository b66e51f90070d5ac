"""The tables of the scans room."""

from scans.models.arrivals import Quarantined, Upload, UploadedFile
from scans.models.peers import Delivery, Peer, UnknownCaller
from scans.models.studies import Instance, Series, Study, Volume

__all__ = [
    "Delivery",
    "Instance",
    "Peer",
    "Quarantined",
    "Series",
    "Study",
    "UnknownCaller",
    "Upload",
    "UploadedFile",
    "Volume",
]
