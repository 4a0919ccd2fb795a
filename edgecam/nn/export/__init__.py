"""From a trained network to an ONNX file: export, pruning, int8."""
