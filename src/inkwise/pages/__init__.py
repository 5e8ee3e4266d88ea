"""What every page and figure shares: drawing, templates, styles, the writing of numbers."""
