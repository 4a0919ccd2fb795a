"""How a model runs best on this board, measured at first start."""
