"""Why a wish about a client or a contract is not granted. Each has a stable code and a sentence for people."""


class Refusal(Exception):
    """Nothing was changed. `str` is a sentence for whoever asked; it holds no secret."""

    status = 400

    def __init__(self, detail: str, code: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


class Invalid(Refusal):
    """The wish itself is wrong: `invalid_redirect_uri`, `invalid_client_metadata` (RFC 7591, 3.2.2), …"""

    def __init__(self, detail: str, code: str, member: str = "") -> None:
        super().__init__(detail, code)
        self.member = member
        """The member of the metadata that is wrong (RFC 7591, 2), where it is one: for forms."""


class NotAllowed(Refusal):
    """Not this actor."""

    status = 403

    def __init__(self, detail: str = "Only the owner of the application or of the API may do this.") -> None:
        super().__init__(detail, "not_allowed")


class NotFound(Refusal):
    """There is no such thing, or none that this actor may see."""

    status = 404

    def __init__(self, what: str) -> None:
        super().__init__(f"There is no such {what}.", "not_found")


class Conflict(Refusal):
    """It stands otherwise than the wish supposes: `not_possible`, `exists_already`, `not_manageable`, …"""

    status = 409


class TooMany(Refusal):
    """A bound is reached: `too_many_applications`, `too_many_requests`."""

    status = 429
