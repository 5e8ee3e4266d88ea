"""The audit: labels that are probably wrong, images that there are twice or fit no class."""
