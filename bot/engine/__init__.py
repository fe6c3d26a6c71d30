"""Running a GGUF model through llama.cpp (extra `llama`)."""
