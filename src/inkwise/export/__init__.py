"""Models on their way out and in: ONNX, Keras, TorchScript."""
