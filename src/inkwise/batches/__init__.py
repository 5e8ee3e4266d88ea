"""Millions of pictures: their answers in shards, each written once, by one machine or by many."""
