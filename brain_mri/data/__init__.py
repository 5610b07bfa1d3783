"""Reading and refusing files, twins, splits, balancing, and the pictures that stages leave."""
