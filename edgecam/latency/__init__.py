"""Glass to glass: a code on the screen, found in the camera's picture."""
