"""What runs on a board: Python 3.8 or newer, numpy and the image's own pynq, nothing else.

These files travel to the board as one archive together with the driver they use; see
`specbp.boards.archive`. They import no other part of the package.
"""
