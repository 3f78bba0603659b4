from tests.support.distributions import site as site
