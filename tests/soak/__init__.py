"""The soak: many questions while processes are killed and Redis is restarted; see docs/reliability.md."""
