"""What all tests share: both event loops, and how hard Hypothesis tries.

`HYPOTHESIS_PROFILE=ci` (the default) draws the same few examples on every run, so that a
push is judged by its change and not by luck. `HYPOTHESIS_PROFILE=soak` draws thousands,
new ones each time, and keeps what failed.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

# Nothing here is timed (deadline=None): shared machines are slow at random.
settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=60,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "soak",
    deadline=None,
    max_examples=3_000,
    stateful_step_count=200,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Run every test marked `anyio` on both event loops."""
    return request.param
