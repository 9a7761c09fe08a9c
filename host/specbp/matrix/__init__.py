"""Matrices: expand a file into cells, run what is missing, keep the frames."""
