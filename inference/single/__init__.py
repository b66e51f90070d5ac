"""A single CT picture that somebody sends for an instant answer; kept for a day, seen by its sender alone."""
