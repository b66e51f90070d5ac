"""Training and evaluation of the networks; nothing here is needed to read a scan."""
