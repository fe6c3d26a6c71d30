"""A real Matrix homeserver (Synapse) for tests, people who write through it, and a proxy that makes it fail."""
