"""Image classification data sets: found by name, checked, cut to size and ready to train on.

`catalog` knows their shapes without loading anything; `loading` reads them.
"""
