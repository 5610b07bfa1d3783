"""What a classifier is worth: metrics, and where they come from."""
