"""What every test may use."""

pytest_plugins = ["tests.cases", "tests.idp.fixtures"]
