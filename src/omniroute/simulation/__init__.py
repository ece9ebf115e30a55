"""The same engine in virtual time, and the auditor that re-checks its every event."""

from __future__ import annotations

from .auditor import AuditError, Auditor, Law

__all__ = ["AuditError", "Auditor", "Law"]
