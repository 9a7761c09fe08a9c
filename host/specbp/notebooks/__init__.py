"""Notebooks, which `pynq get-notebooks specbp` copies to where they can be run and changed."""
