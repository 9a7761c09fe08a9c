"""Training on the CPU: plans executed natively in C++, or by threads of Python."""
