"""Where images come from: files, the catalogue, downloads, splits."""
