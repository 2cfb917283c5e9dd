"""Experiments that measure what steps cost, and how fast a machine takes them."""
