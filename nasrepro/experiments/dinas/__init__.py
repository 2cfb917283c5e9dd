"""The experiments of DiNAS."""
