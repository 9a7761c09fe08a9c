"""The overlay seen from the host: its registers, its programs, its driver.

What a driver needs at run time imports neither torch nor pynq's optional parts: it also runs on
a board, with the board's own Python, numpy and pynq.
"""
