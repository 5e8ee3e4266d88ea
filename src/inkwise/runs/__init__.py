"""The run directory, which holds the record, the model and the documents of one training."""
