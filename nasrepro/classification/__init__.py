"""Training a cell as an image classifier: images, recipe, training loop, several processes (DiNAS, Table 5)."""
