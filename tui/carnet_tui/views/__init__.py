"""View models: from what the store says to rows and lines of cleaned text. Nothing here imports the UI toolkit."""
