"""What the tests of the protocol use beside the shared fixtures."""

from tests.store.conftest import driver as driver
