"""How accurate a model stays on images that get worse."""
