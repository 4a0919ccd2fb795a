"""Encoding and muxing, shared by the recorder and the web page."""
