"""What an experiment needs, and what a record is: running, records, the plan, claims, statistics."""
