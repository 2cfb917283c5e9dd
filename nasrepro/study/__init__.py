"""Runs, records, claims, statistics, tables and figures."""
