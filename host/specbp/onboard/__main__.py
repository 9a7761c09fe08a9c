"""Starts the runner."""

import sys

from specbp.onboard.runner import main

sys.exit(main())
