"""Layers that run as one: bits between them, some samples at a time."""
