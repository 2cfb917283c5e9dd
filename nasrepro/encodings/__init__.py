"""Encodings: architectures as vectors of numbers, computed from their graph form."""
