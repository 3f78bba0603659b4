from tests.support.distributions import site as site
from tests.support.places import place as place
