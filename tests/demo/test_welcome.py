"""What the demo says when it has started."""

from gateway.demo.curls import demo_curls
from gateway.demo.welcome import welcome

CURLS = demo_curls(
    gateway="http://127.0.0.1:65535", issuer="http://127.0.0.1:65534", token="x" * 43, client=("shop", "shop-secret")
)
PLACES = {"gateway": "http://127.0.0.1:65535", "identity provider": "http://127.0.0.1:65534"}


def test_the_text_says_what_it_is_not_for() -> None:
    assert "Nothing is stored. Not for production." in welcome(PLACES, [], CURLS, colour=False)


def test_the_text_fits_into_80_columns() -> None:
    text = welcome(PLACES, [(8080, "http://127.0.0.1:65535")], CURLS, colour=False)
    assert max(map(len, text.splitlines())) <= 80


def test_colours_are_for_terminals() -> None:
    assert "\x1b" not in welcome(PLACES, [], CURLS, colour=False)
    assert "\x1b[1m" in welcome(PLACES, [], CURLS, colour=True)


def test_each_command_is_followed_by_the_status_to_expect() -> None:
    lines = welcome(PLACES, [], CURLS, colour=False).splitlines()
    for curl in CURLS:
        last = curl.command.splitlines()[-1]
        assert f"# {curl.status_line}" in {lines[at + 1] for at, line in enumerate(lines) if line == last}


def test_what_moved_is_said() -> None:
    assert "Port 8080 is taken; http://x:1 stands in for it." in welcome(
        PLACES, [(8080, "http://x:1")], CURLS, colour=False
    )


def test_the_commands_show_a_401_a_200_a_403_and_a_401_again() -> None:
    assert [curl.status for curl in CURLS][1:6] == [401, 200, 403, 200, 401]
    assert CURLS[2].command == CURLS[5].command


def test_the_text_says_how_access_is_asked_for() -> None:
    text = welcome(PLACES, [], CURLS, colour=False)
    assert "sign in as olga, who decides" in text
    assert "The next call is refused: 403." in text
