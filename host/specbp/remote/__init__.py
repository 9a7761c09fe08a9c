"""PYNQ.remote, pynq's own protocol over gRPC: a simulated board that speaks it, and using one."""
