"""A local web page that asks the recommended model about slices, and keeps none of them."""
