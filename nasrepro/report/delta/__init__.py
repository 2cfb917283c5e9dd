"""Tables and figures of Delta-NAS."""
