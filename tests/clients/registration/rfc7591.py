"""RFC 7591, 2 as a JSON Schema: what a document of client metadata looks like."""

URIS = {"type": "array", "items": {"type": "string", "format": "uri", "minLength": 1}, "uniqueItems": True}
WORDS = {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True}
TEXT = {"type": "string", "minLength": 1}

METADATA: dict[str, object] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "redirect_uris": URIS,
        "token_endpoint_auth_method": {
            "enum": ["none", "client_secret_post", "client_secret_basic", "client_secret_jwt", "private_key_jwt"]
        },
        "grant_types": {
            **WORDS,
            "items": {"enum": ["authorization_code", "implicit", "password", "client_credentials", "refresh_token"]},
        },
        "response_types": {**WORDS, "items": {"enum": ["code", "token", "id_token"]}},
        "client_name": {"type": "string", "minLength": 1, "maxLength": 255},
        "client_uri": {"type": "string", "format": "uri"},
        "scope": {"type": "string", "pattern": r"^[!#-\[\]-~]+( [!#-\[\]-~]+)*$"},
        "contacts": {**WORDS, "minItems": 1},
        "software_id": TEXT,
        # OpenID Connect Registration, 2.
        "application_type": {"enum": ["native", "web"]},
    },
    "required": ["client_name", "grant_types", "redirect_uris", "response_types", "token_endpoint_auth_method"],
    "additionalProperties": False,
    # RFC 7591, 2.1: how grant types and response types go together.
    "if": {"properties": {"grant_types": {"contains": {"const": "authorization_code"}}}},
    "then": {"properties": {"response_types": {"contains": {"const": "code"}}, "redirect_uris": {"minItems": 1}}},
    "else": {"properties": {"response_types": {"not": {"contains": {"const": "code"}}}}},
}
