"""What reads something beside the event log while a phase goes on; each meets :class:`benchmarks.run.contract.Device`."""
