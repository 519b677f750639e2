"""The API for operators, on a gateway that is served."""
