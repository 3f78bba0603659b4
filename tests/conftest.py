"""What the tests of several rooms share, beside the fixtures at the root."""

from tests.support.wheels import dist as dist
