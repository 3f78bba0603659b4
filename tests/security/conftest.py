from tests.support.places import place as place
