"""The numbers about one model on one split of one data set."""
