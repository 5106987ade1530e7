"""Code tests at scale, beside what others do: `make bench-code`."""
