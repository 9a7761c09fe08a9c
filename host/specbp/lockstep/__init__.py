"""Lockstep: two executions of one training, compared tensor by tensor after every step."""
