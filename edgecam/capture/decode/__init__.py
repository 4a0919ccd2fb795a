"""From a camera's bytes to BGR arrays."""
