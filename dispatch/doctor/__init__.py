"""`ptt-dispatch doctor`: whether this office can work, and what to do where it cannot."""
