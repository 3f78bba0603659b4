"""For the tests of applications and plugins: fixtures, and the contract of a transport."""
