"""The runner's side of a node agent."""
