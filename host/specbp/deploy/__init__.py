"""Boards over SSH: connecting, deploying a build, and running programs there."""
