"""V4L2 cameras through the kernel's own interface."""
