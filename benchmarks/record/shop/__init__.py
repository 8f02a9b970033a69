"""Orders on their way through a shop, as chains of tasks; its books, and its retries."""
