"""Decoding and refusing files, twins, phantoms, splits, balancing and augmentation."""
