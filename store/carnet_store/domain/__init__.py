"""What events mean: one file a subject, each with its state, its changes and its rules. Pure."""
