"""A single CT picture: opened, checked for what it is, told normal / benign / malignant, nodules outlined."""
