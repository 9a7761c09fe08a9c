"""The native runtime: plans executed in C++, without Python between tasks; float32 on a CPU."""
