"""What a machine or a board has for specbp, what it lacks, and how to get that."""
