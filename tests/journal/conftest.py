"""Servers for the stores that need one."""

from databases import nats, postgres

__all__ = ["nats", "postgres"]
