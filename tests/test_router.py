"""Which route a request belongs to."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import Allow, Decision, Request
from gateway.router import MethodNotAllowed, NotFound, Route, Router


class Allows:
    reads_form = False
    identity_headers: frozenset[str] = frozenset()

    def decide(self, request: Request, /) -> Decision:
        return Allow()


ALLOWS = Allows()


def route(
    path: str,
    *,
    hosts: tuple[str, ...] = (),
    exact: bool = False,
    methods: set[str] | None = None,
    name: str | None = None,
) -> Route[None]:
    return Route(
        name=name or f"{'+'.join(hosts)}{path}{'!' if exact else ''}{'+'.join(sorted(methods or ()))}",
        api="api",
        path=path,
        chain=ALLOWS,
        upstream=None,
        hosts=hosts,
        exact=exact,
        methods=None if methods is None else frozenset(methods),
    )


def found(routes: list[Route[None]], path: str, *, host: str = "h", method: str = "GET") -> str | None:
    result = Router(routes).find(host, method, path)
    return result.name if isinstance(result, Route) else None


def test_a_prefix_matches_whole_segments_and_everything_below() -> None:
    routes = [route("/orders")]
    for path in ("/orders", "/orders/", "/orders/7", "/orders/7/lines"):
        assert found(routes, path) == "/orders"
    for path in ("/", "/order", "/orders2", "/Orders", "/x/orders"):
        assert found(routes, path) is None


def test_the_root_as_a_prefix_matches_everything() -> None:
    for path in ("/", "/a", "/a/"):
        assert found([route("/")], path) == "/"


def test_an_exact_path_matches_itself_alone() -> None:
    assert found([route("/a", exact=True)], "/a") == "/a!"
    for path in ("/a/", "/a/b", "/"):
        assert found([route("/a", exact=True)], path) is None
    assert found([route("/a/", exact=True)], "/a/") == "/a/!"
    assert found([route("/", exact=True)], "/") == "/!"
    assert found([route("/", exact=True)], "/a") is None


@pytest.mark.case("C185")
def test_a_name_matches_one_segment_and_all_other_text_is_literal() -> None:
    assert found([route("/a/{id}", exact=True)], "/a/7") == "/a/{id}!"
    for path in ("/a/", "/a", "/a/7/8"):
        assert found([route("/a/{id}", exact=True)], path) is None
    assert found([route("/v1.0/a+b*", exact=True)], "/v1.0/a+b*") is not None
    assert found([route("/v1.0/a+b*", exact=True)], "/v1x0/aab") is None


@pytest.mark.case("C190")
@pytest.mark.parametrize(
    ("path", "winner"),
    [
        ("/a/b", "/a/b!"),
        ("/a/b/x", "/a/b"),
        ("/a/c", "/a/{n}"),
        ("/a/c/d", "/a/{n}/d"),
        ("/a/b/d", "/a/b"),
        ("/a", "/a"),
        ("/a/", "/a"),
        ("/z", "/"),
    ],
)
def test_the_most_specific_path_wins_whatever_the_order_of_the_file(path: str, winner: str) -> None:
    routes = [route("/"), route("/a"), route("/a/{n}"), route("/a/b"), route("/a/b", exact=True), route("/a/{n}/d")]
    for order in list(permutations(routes))[::37]:
        assert found(list(order), path) == winner


def test_a_wildcard_is_tried_where_the_literal_text_leads_nowhere() -> None:
    routes = [route("/a/b/c", exact=True), route("/a/{x}/d", exact=True), route("/{y}/b/e", exact=True)]
    assert found(routes, "/a/b/c") == "/a/b/c!"
    assert found(routes, "/a/b/d") == "/a/{x}/d!"
    assert found(routes, "/a/b/e") == "/{y}/b/e!"
    assert found(routes, "/a/b/f") is None


@pytest.mark.case("C190")
def test_an_exact_host_beats_a_wildcard_and_that_beats_any() -> None:
    routes = [
        route("/", name="any"),
        route("/", hosts=("*.example.com",), name="wild"),
        route("/", hosts=("*.api.example.com",), name="longer"),
        route("/a", hosts=("x.api.example.com",), name="exact"),
    ]
    assert found(routes, "/a", host="x.api.example.com") == "exact"
    assert found(routes, "/b", host="x.api.example.com") == "longer"
    assert found(routes, "/a", host="y.api.example.com") == "longer"
    assert found(routes, "/a", host="a.b.example.com") == "wild"
    assert found(routes, "/a", host="example.com") == "any"
    assert found(routes, "/a", host="") == "any"


@pytest.mark.case("C186")
def test_what_no_route_is_for_is_not_found() -> None:
    assert Router([route("/a", hosts=("h",))]).find("other", "GET", "/a") == NotFound()
    assert Router([]).find("h", "GET", "/") == NotFound()


def test_routes_may_share_a_path_when_their_methods_differ() -> None:
    routes = [route("/a", methods={"GET"}, name="reads"), route("/a", methods={"POST"}, name="writes")]
    assert found(routes, "/a", method="GET") == "reads"
    assert found(routes, "/a", method="POST") == "writes"
    assert Router(routes).find("h", "PUT", "/a") == MethodNotAllowed(frozenset({"GET", "POST"}))


@pytest.mark.case("C025")
def test_a_method_cannot_choose_a_less_specific_policy() -> None:
    routes = [route("/"), route("/admin", methods={"GET"})]
    assert isinstance(Router(routes).find("h", "POST", "/admin"), MethodNotAllowed)


@pytest.mark.case("C025", "C216")
def test_trace_and_connect_are_never_routed() -> None:
    router = Router([route("/"), route("/a", methods={"TRACE", "GET"})])
    for method in ("TRACE", "CONNECT"):
        for path in ("/", "/a"):
            refused = router.find("h", method, path)
            assert isinstance(refused, MethodNotAllowed)
            assert method not in refused.allowed


@pytest.mark.case("C025")
def test_unknown_methods_are_routed_like_any_other_and_case_counts() -> None:
    assert found([route("/")], "/", method="FOO") == "/"
    assert found([route("/", methods={"GET"})], "/", method="get") is None


def test_a_prefix_with_a_trailing_slash_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="trailing slash"):
        Router([route("/orders/")])


@pytest.mark.case("C184")
@pytest.mark.parametrize(
    ("strip", "add", "path", "sent"),
    [
        ("", "", "/orders/7", "/orders/7"),
        ("/orders", "", "/orders/7", "/7"),
        ("/orders", "", "/orders", "/"),
        ("/orders", "", "/orders/", "/"),
        ("/orders", "", "/orders2", "/orders2"),
        ("/orders/", "/v2/", "/orders/7", "/v2/7"),
        ("/orders", "/v2", "/orders", "/v2"),
        ("/", "/v2", "/orders", "/v2/orders"),
    ],
)
def test_prefixes_change_by_whole_segments(strip: str, add: str, path: str, sent: str) -> None:
    made = Route(name="r", api="r", path="/", chain=ALLOWS, upstream=None, strip_prefix=strip, add_prefix=add)
    assert made.upstream_path(path) == sent


SEGMENT = st.sampled_from(["a", "b", "{x}", "{y}"])
PATTERN = st.lists(SEGMENT, max_size=4).map(lambda segments: "/" + "/".join(segments))
ROUTES = st.lists(st.tuples(PATTERN, st.booleans()), max_size=6, unique_by=lambda one: (_shape(one[0]), one[1]))


def _shape(pattern: str) -> tuple[str, ...]:
    return tuple("{}" if "{" in segment else segment for segment in pattern.split("/")[1:])


def _rank(pattern: str, exact: bool) -> tuple[list[int], bool]:
    """Segment by segment from the left: literal text, then a name, then the end of the pattern."""
    kinds = [1 if segment == "{}" else 0 for segment in _shape(pattern)] if pattern != "/" or exact else []
    return [*kinds, 2], not exact


def _matches(pattern: str, exact: bool, path: list[str]) -> bool:
    shape = _shape(pattern) if pattern != "/" or exact else ()
    fits = len(shape) <= len(path) and all(
        (segment != "" if kind == "{}" else kind == segment) for kind, segment in zip(shape, path, strict=False)
    )
    return fits and (not exact or len(shape) == len(path))


@given(ROUTES, st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=5))
def test_the_tree_agrees_with_trying_every_route(routes: list[tuple[str, bool]], segments: list[str]) -> None:
    matching = [one for one in routes if _matches(*one, segments)]
    best = min(matching, key=lambda one: _rank(*one), default=None)
    made = [route(pattern, exact=exact) for pattern, exact in routes]
    expected = None if best is None else f"{best[0]}{'!' if best[1] else ''}"
    assert found(made, "/" + "/".join(segments)) == expected


def test_the_number_of_routes_does_not_change_what_is_looked_at() -> None:
    class Counted(str):
        hashed = 0

        def split(self, *_: object) -> list[str]:
            return [Counted(part) for part in str(self).split("/")]

        def __hash__(self) -> int:
            Counted.hashed += 1
            return str.__hash__(self)

    def looked_up(routes: list[Route[None]]) -> int:
        router = Router(routes)
        Counted.hashed = 0
        router.find("h", "GET", Counted("/r1/x"))
        return Counted.hashed

    few = [route(f"/r{number}") for number in range(3)]
    many = [route(f"/r{number}") for number in range(3000)]
    assert looked_up(few) == looked_up(many) > 0
