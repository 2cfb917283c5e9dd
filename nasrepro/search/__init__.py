"""Searchers under one ask/tell contract."""
