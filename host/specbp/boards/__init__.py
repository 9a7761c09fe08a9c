"""Boards as data: one file each, what lies where on them, and what their use needs installed."""
