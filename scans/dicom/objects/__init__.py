"""DICOM objects that the portal writes: segmentations, structured reports, documents, pictures (pure)."""
