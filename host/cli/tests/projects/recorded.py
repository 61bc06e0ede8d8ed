# A test of the program with every other effect, by what they answered when it ran.

from homestar.testing import recorded

import app

for name in ("sent", "looked_up", "drawn", "signed", "counted"):
    with recorded(f"{name}.json") as it:
        assert getattr(app, name)(*it.args) == it.result, name
with recorded("wrongly.json") as it:
    try:
        app.wrongly()
    except app.keys.WrongAlgorithm as error:
        assert str(error) == it.error["value"], error
    else:
        raise AssertionError("it does not fail")
