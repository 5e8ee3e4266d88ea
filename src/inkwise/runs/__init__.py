"""The run directory: the record, the model and the documents of one training."""
