"""Tests of what runs in a browser without a server."""
