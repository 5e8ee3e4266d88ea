"""The HTTP service: answers about pictures and arrays, for other programs and for people."""
