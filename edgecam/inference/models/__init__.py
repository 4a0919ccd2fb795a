"""Model files: cards, sidecars, and where they are found."""
