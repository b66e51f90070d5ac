"""What the networks are worth, measured through the functions that read a scan: figures, plots, pictures."""
