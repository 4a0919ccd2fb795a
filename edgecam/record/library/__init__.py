"""A folder of clips: its index, what is kept, and recovery after a crash."""
