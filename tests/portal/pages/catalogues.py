"""A catalogue to test pages with: one API with tiers and terms, one that is open at once, one that nobody lists."""

from gateway.clients.catalogue import Api, Catalogue, Limit, Tier

OPENAPI = """\
openapi: 3.1.0
info: {title: Orders, version: "2.1"}
paths:
  /orders:
    parameters: [{name: shop, in: query}]
    get:
      summary: List orders
      description: Newest first.
      parameters: [{name: limit, in: query, required: true}, {$ref: '#/components/parameters/After'}]
      responses: {200: {description: The orders}, "401": {$ref: '#/components/responses/NoToken'}}
    post: {operationId: placeOrder, responses: {201: {description: Placed}}}
  /orders/{id}:
    delete: {summary: Cancel an order, deprecated: true}
components:
  parameters: {After: {name: after, in: query}}
  responses: {NoToken: {description: No token}}
"""
ORDERS = Api(
    name="orders",
    provider="demo",
    title="Orders",
    description="Read and place orders.",
    version="2.1",
    documentation="https://docs.example.com/orders",
    openapi=OPENAPI,
    scopes=("orders.read",),
    tiers=("free", "gold", "old"),
    terms="Be kind.\nDo not resell.",
    url="https://api.example.com/orders",
)
WEATHER = Api(name="weather", provider="demo", title="Weather", approval="automatic", url="https://api.example.com/w")
HIDDEN = Api(name="hidden", provider="demo", listed=False)
FREE = Tier(
    name="free",
    title="Free",
    description="To try it out.",
    limits=(Limit(requests=10, seconds=60), Limit(requests=1_000, seconds=86_400)),
    approval="automatic",
)
GOLD = Tier(
    name="gold", title="Gold", limits=(Limit(requests=9, seconds=3_600), Limit(requests=7, seconds=1, visible=False))
)
OLD = Tier(name="old", deprecated=True)
CATALOGUE = Catalogue(
    apis={api.name: api for api in (WEATHER, ORDERS, HIDDEN)}, tiers={tier.name: tier for tier in (FREE, GOLD, OLD)}
)
