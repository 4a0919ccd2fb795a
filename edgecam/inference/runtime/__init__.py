"""What runs a graph: ONNX Runtime."""
