"""Workers that start, what they import, and that are stopped with tasks in hand."""
