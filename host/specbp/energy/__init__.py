"""Energy, where it can be read: counters of processors, GPUs and boards."""
