"""Boards: what the overlay's driver runs on, simulated ones included."""
