"""A camera behind libcamera: the address, the running camera, the source."""
