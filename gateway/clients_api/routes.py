"""Everything that can be asked of the API, as a table: what is served and what is documented are made from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from gateway.clients_api import bodies, views
from gateway.clients_api.desk import Desk

ROOT = "/api/v1"
READS = frozenset({400, 401, 403, 421, 503})
CHANGES = READS | {404, 409, 413, 429}

Handle: TypeAlias = Callable[[Desk, str, Any], Awaitable[views.View | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One of them. `{id}` in its path is an id of ours."""

    method: str
    path: str
    name: str
    summary: str
    handle: Handle
    takes: type[bodies.Asked] = bodies.Nothing
    """The query of a GET or DELETE, the body of everything else."""
    gives: type[views.View] | None = None
    status: int = 200

    @property
    def by_query(self) -> bool:
        """Whether what it takes stands in the query."""
        return self.method in {"GET", "DELETE"}

    @property
    def refusals(self) -> frozenset[int]:
        """The statuses of its problem documents."""
        found = READS if self.method == "GET" else CHANGES
        return found | {404} if "{id}" in self.path or self.takes is bodies.UsageQuery else found


OPERATIONS = (
    Operation(
        method="GET",
        path="/clients",
        name="listClients",
        summary="Applications, by name",
        takes=bodies.ClientsQuery,
        gives=views.Clients,
        handle=lambda desk, _, asked: desk.clients(asked),
    ),
    Operation(
        method="POST",
        path="/clients",
        name="registerClient",
        summary="Register an application at once; the answer is the only one with its secret",
        takes=bodies.RegisterBody,
        gives=views.RegisteredView,
        status=201,
        handle=lambda desk, _, asked: desk.register(asked),
    ),
    Operation(
        method="POST",
        path="/clients/adopt",
        name="adoptClient",
        summary="Take over a client that exists at its provider",
        takes=bodies.AdoptBody,
        gives=views.ClientView,
        status=201,
        handle=lambda desk, _, asked: desk.adopt(asked),
    ),
    Operation(
        method="GET",
        path="/clients/{id}",
        name="readClient",
        summary="An application",
        gives=views.ClientView,
        handle=lambda desk, id_, _: desk.client(id_),
    ),
    Operation(
        method="PATCH",
        path="/clients/{id}",
        name="editClient",
        summary="Change an application, here and at its provider",
        takes=bodies.MetadataChange,
        gives=views.ClientView,
        handle=lambda desk, id_, asked: desk.edit(id_, asked),
    ),
    Operation(
        method="DELETE",
        path="/clients/{id}",
        name="deleteClient",
        summary="Delete an application for ever, here and at its provider",
        takes=bodies.DeleteQuery,
        gives=views.ClientView,
        handle=lambda desk, id_, asked: desk.delete(id_, asked),
    ),
    Operation(
        method="POST",
        path="/clients/{id}/reveal",
        name="revealCredentials",
        summary="Show the credentials, once",
        gives=views.CredentialsView,
        handle=lambda desk, id_, _: desk.reveal(id_),
    ),
    Operation(
        method="POST",
        path="/clients/{id}/rotate",
        name="rotateSecret",
        summary="Make a new secret, and show it",
        gives=views.CredentialsView,
        handle=lambda desk, id_, _: desk.rotate(id_),
    ),
    Operation(
        method="POST",
        path="/clients/{id}/end-overlap",
        name="endOverlap",
        summary="Let the secret before the last rotation be good no more",
        status=204,
        handle=lambda desk, id_, _: desk.end_overlap(id_),
    ),
    Operation(
        method="GET",
        path="/contracts",
        name="listContracts",
        summary="Contracts, newest first",
        takes=bodies.ContractsQuery,
        gives=views.Contracts,
        handle=lambda desk, _, asked: desk.contracts(asked),
    ),
    Operation(
        method="POST",
        path="/contracts",
        name="askForContract",
        summary="Ask for access for an application that there is",
        takes=bodies.AskBody,
        gives=views.ContractView,
        status=201,
        handle=lambda desk, _, asked: desk.ask(asked),
    ),
    Operation(
        method="GET",
        path="/contracts/{id}",
        name="readContract",
        summary="A contract",
        gives=views.ContractView,
        handle=lambda desk, id_, _: desk.contract(id_),
    ),
    Operation(
        method="POST",
        path="/contracts/{id}/approve",
        name="approveContract",
        summary="Put a request in force",
        takes=bodies.ApproveBody,
        gives=views.ContractView,
        handle=lambda desk, id_, asked: desk.approve(id_, asked),
    ),
    Operation(
        method="POST",
        path="/contracts/{id}/refuse",
        name="refuseContract",
        summary="Say no to a request",
        takes=bodies.NoBody,
        gives=views.ContractView,
        handle=lambda desk, id_, asked: desk.refuse(id_, asked),
    ),
    Operation(
        method="POST",
        path="/contracts/{id}/revoke",
        name="revokeContract",
        summary="End a contract; it counts no more when this is answered",
        takes=bodies.NoBody,
        gives=views.ContractView,
        handle=lambda desk, id_, asked: desk.revoke(id_, asked),
    ),
    Operation(
        method="POST",
        path="/contracts/{id}/restore",
        name="restoreContract",
        summary="Put a revoked contract back in force",
        takes=bodies.RestoreBody,
        gives=views.ContractView,
        handle=lambda desk, id_, asked: desk.restore(id_, asked),
    ),
    Operation(
        method="POST",
        path="/contracts/{id}/tier",
        name="changeTier",
        summary="Give a contract another tier",
        takes=bodies.TierBody,
        gives=views.ContractView,
        handle=lambda desk, id_, asked: desk.change_tier(id_, asked),
    ),
    Operation(
        method="GET",
        path="/audit",
        name="readAudit",
        summary="Who did what, newest first",
        takes=bodies.AuditQuery,
        gives=views.Entries,
        handle=lambda desk, _, asked: desk.audit(asked),
    ),
    Operation(
        method="GET",
        path="/usage",
        name="readUsage",
        summary="What an application called, by the hour",
        takes=bodies.UsageQuery,
        gives=views.Calls,
        handle=lambda desk, _, asked: desk.usage(asked),
    ),
    Operation(
        method="POST",
        path="/reconcile",
        name="reconcile",
        summary="Compare our records with those of the providers",
        takes=bodies.ReconcileBody,
        gives=views.Drifts,
        handle=lambda desk, _, asked: desk.reconcile(asked),
    ),
    Operation(
        method="GET",
        path="/apis",
        name="listApis",
        summary="What may be asked for",
        gives=views.Apis,
        handle=lambda desk, _, __: desk.apis(),
    ),
)
