"""The only room that knows SQLite and folders."""
