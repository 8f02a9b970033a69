"""A web application that dispatches tasks, and its requests."""
