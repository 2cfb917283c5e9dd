"""Where files lie, and how they are written: paths, atomic storage, tensors, tables built once."""
