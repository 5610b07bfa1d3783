"""One module per architecture, with a function of its name: pixels in, features out."""
