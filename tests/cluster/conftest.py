"""Servers for the coordinators that need one."""

from databases import nats, postgres

__all__ = ["nats", "postgres"]
