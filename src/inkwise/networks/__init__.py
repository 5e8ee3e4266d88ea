"""Networks: their descriptions, and as PyTorch modules, ONNX files and Keras models."""
