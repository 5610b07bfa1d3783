"""One module per DVC stage, of the same name, and the rooms they call."""
