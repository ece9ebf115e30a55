"""A real call centre's month: its log, what is fitted to it, and the month as a scenario."""
