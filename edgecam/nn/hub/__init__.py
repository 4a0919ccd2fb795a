"""Published weights: where they are, how they are fetched and read, and tables about them."""
