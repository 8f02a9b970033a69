"""Messages with payloads, and orders that were changed after they had been sent."""
