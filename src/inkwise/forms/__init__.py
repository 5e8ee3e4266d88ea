"""Forms: from a photograph of a ruled form to what is written in each of its cells."""
