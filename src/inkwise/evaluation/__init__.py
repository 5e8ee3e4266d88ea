"""The metrics of one model on one split of one data set."""
