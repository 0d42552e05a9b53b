"""The office's memory: floors, members and the event log in a SQL database."""
