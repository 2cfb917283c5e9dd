"""The step of the method that matters on each page, in a few lines."""
