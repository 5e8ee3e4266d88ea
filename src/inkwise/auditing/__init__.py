"""The audit of a data set: probably wrong labels, duplicates, and outliers."""
