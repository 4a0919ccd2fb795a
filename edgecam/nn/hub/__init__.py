"""Published weights: where they are, how to fetch and read them, and tables about them."""
