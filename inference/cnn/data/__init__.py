"""Data sets and volumes as files: formats, readers, manifests, and a look at a data set before training."""
