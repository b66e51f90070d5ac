"""A window for one computer without a server: open a scan, read it, look, and save what was found."""
