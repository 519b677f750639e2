"""What every answer of the portal carries, whatever it is: the browser is told to allow no more than pages need."""

from gateway.policy import Headers

CONTENT = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'none'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def answer_headers(origin: str) -> Headers:
    """For a portal at that origin."""
    headers = (
        ("Content-Security-Policy", CONTENT),
        # Not no-referrer: with it, browsers say "Origin: null" of our own forms, and nobody can tell them from others.
        ("Referrer-Policy", "same-origin"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
        ("Cache-Control", "no-store"),
    )
    if not origin.startswith("https://"):
        return headers
    return (*headers, ("Strict-Transport-Security", "max-age=31536000"))
