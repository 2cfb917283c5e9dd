"""Tables and figures of DiNAS."""
