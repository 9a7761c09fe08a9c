"""Hardware/software co-simulation benchmarks for speculative backpropagation."""
