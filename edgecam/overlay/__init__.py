"""What is drawn over a picture: ``compose`` decides it once, as data; two painters draw it."""
