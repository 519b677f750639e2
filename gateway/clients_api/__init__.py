"""Client management as JSON over HTTP, on the admin listener: for operators and their programs."""
