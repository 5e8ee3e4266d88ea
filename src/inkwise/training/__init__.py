"""How a network is trained: the loop, its history, its memory."""
