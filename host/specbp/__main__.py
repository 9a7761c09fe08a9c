"""`python -m specbp` is the command `specbp`."""

from specbp.cli import main

main()
