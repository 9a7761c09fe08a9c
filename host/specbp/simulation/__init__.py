"""The cycle-accurate simulation of the overlay, as a board that pynq and SSH know."""
