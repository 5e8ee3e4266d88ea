"""Runs side by side: which answers the same images better, and what may be concluded."""
