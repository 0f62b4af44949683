"""Acts on the machine: templates, keys on disk, unpacking, check-ups."""
