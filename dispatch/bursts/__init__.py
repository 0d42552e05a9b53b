"""What was said, kept for those who missed it: only where an office wants it, for as long as it says."""
