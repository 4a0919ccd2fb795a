"""The MobileNet family as tables of layers, and the heads on top of them."""
