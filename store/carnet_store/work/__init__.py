"""Acts on the machine: templates, captured commands, keys on disk."""
