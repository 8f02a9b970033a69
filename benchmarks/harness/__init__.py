"""The lab measured by itself: what it costs, and whether a queue with a known answer gives that answer."""
