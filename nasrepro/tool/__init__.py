"""The package as a tool, on spaces and labels of your own; `import nasrepro as nr` offers it by short names."""
