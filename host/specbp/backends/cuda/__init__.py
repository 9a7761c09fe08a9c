"""Training on a GPU: engines are streams, and steps are recorded as graphs."""
