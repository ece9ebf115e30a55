"""The router's tests run on both event loops, in virtual time."""

import pytest

import virtual_time


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return virtual_time.backend(request.param)
