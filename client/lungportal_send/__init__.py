"""Sends folders of DICOM files to a lungportal by STOW-RS; the standard library is all it needs."""
