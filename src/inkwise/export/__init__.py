"""Export of models to ONNX, Keras and TorchScript, and import from Keras."""
