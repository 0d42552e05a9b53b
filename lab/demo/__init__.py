"""`ptt-lab demo`: three vehicles, a console, one office, one story, and what each ear really heard."""
