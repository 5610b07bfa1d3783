"""Drawing the embedded set of synthetic head slices."""
