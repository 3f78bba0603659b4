"""For the tests of applications and plugins: fixtures, and the contract of a transport."""

import pytest

# So that an author of a transport sees both sides of what failed.
pytest.register_assert_rewrite(
    "rrq.testing.transport_ends",
    "rrq.testing.transport_losses",
    "rrq.testing.transport_requests",
    "rrq.testing.transport_subject",
)
