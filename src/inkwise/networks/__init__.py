"""What is trained: networks as descriptions, and as PyTorch modules."""
