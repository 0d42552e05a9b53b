"""`ptt-lab demo`: three vehicles, one office, one story, and what each ear really heard of it."""
