"""The HTTP service, which classifies pictures and arrays, and the web page that uses it."""
