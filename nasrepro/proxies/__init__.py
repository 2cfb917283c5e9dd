"""Zero-cost proxies: what an untrained network tells about the accuracy that it would reach."""
