"""The torch side: the MobileNet family, SSD, training, export, quantisation, evaluation (extra `train`)."""
