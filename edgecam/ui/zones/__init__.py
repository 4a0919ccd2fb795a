"""The editor of zones and lines on the window, for a finger or a mouse."""
