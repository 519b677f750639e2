"""Applications as people name them: by their name, our id, or their provider's."""

from gateway.clients.client import ClientState
from gateway.clients_api.bodies import ClientsQuery
from gateway.clients_api.desk import Desk
from gateway.clients_api.views import ClientView
from gateway.commands.working import Mistaken

MOST = 200
LONGEST = 255


async def find(desk: Desk, word: str) -> ClientView:
    """The application that the word names. Raises `Mistaken` where it names none, or several."""
    fitting: list[ClientView] = []
    after: str | None = ""
    while after is not None:
        page = await desk.clients(ClientsQuery(search=word[:LONGEST], after=after, limit=MOST))
        fitting += [client for client in page.items if _is_called(client, word)]
        after = page.next
    living = [client for client in fitting if client.state is not ClientState.DELETED]
    match living or fitting:
        case []:
            raise Mistaken(f"There is no application {word!a}; `tokenward clients list` shows those that there are.")
        case [client]:
            return client
        case several:
            ids = ", ".join(client.id for client in several)
            raise Mistaken(f"Several applications are called {word!a}; name one of them by its id: {ids}")


def _is_called(client: ClientView, word: str) -> bool:
    return word in (client.id, client.client_id, client.metadata.client_name)
