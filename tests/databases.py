"""Fixtures of real servers, one per test process; missing is a skip, and a failure in CI."""

import os

import pytest

from omniroute.testing.servers import MissingServerError, temporary_nats, temporary_postgres


def _missing(error):
    if os.environ.get("CI"):
        pytest.fail(str(error))
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgres():
    """The URL of an empty database."""
    try:
        with temporary_postgres() as url:
            yield url
    except MissingServerError as error:
        _missing(error)


@pytest.fixture(scope="session")
def nats():
    """A server with JetStream that syncs every message."""
    try:
        with temporary_nats() as (server,):
            yield server
    except MissingServerError as error:
        _missing(error)
