"""A soak: what hours of tasks and samples are folded into, and what is judged of it. Pure."""
