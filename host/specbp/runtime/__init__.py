"""Runtimes: what executes plans. They know tasks, and no schedule."""
