"""Power meters, one module each, and the choice between them."""
