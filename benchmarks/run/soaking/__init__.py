"""A soak of one variant, made: load offered for hours, what comes back folded as it comes, and a worker that dies started again.

All that is measured is by the monotonic clock. What is kept in memory and on disk does not grow with the hours, but for the
windows themselves.
"""
