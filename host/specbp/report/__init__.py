"""Frames to a comparison: statistics, a printed table, Markdown, and one HTML page.

Nothing is imported here: figures take a second to load, which a training need not pay.
"""
