"""What is benchmarked: the task bodies, one module per framework, and the recorder that stamps every task."""
