"""Plans: a training step as data, for every schedule, whoever executes it.

A schedule is a function from the outline of a network to a `Plan`. Nothing here knows tensors, time
or a backend.
"""
