"""The recommended model in use: one file, what it answers of new slices, and when it abstains."""
