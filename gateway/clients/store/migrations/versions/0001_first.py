"""The first tables: clients, agreements, changes, the audit log, usage, sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NOT_DELETED = sa.text("state <> 'deleted'")
NOT_REFUSED = sa.text("state <> 'refused'")


def upgrade() -> None:
    """Make them."""
    _make_ledger()
    _make_clients()
    _make_agreements()
    _make_audit()
    _make_usage()
    _make_sessions()
    if op.get_bind().dialect.name == "sqlite":
        _protect_audit_in_sqlite()
    else:
        _protect_audit_in_postgresql()


def _make_ledger() -> None:
    ledger = op.create_table(
        "ledger",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("changes", sa.Integer, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("last", sa.LargeBinary, nullable=False),
        sa.Column("proof", sa.LargeBinary, nullable=False),
        sa.Column("sealed_key", sa.LargeBinary, nullable=False),
    )
    # A row is there from the start: it is what whoever writes takes first. It gets its key when the store is opened.
    first = {"id": 1, "changes": 0, "entries": 0, "last": b"", "proof": b"", "sealed_key": b""}
    op.bulk_insert(ledger, [first])
    op.create_table(
        "changes",
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("client_id", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
    )
    op.create_index("changes_number", "changes", ["number"])


def _make_clients() -> None:
    op.create_table(
        "clients",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("searched", sa.Text, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("owner_provider", sa.Text),
        sa.Column("owner_subject", sa.Text),
        sa.Column("owner_name", sa.Text, nullable=False),
        sa.Column("owner_email", sa.Text, nullable=False),
        sa.Column("manageable", sa.Boolean, nullable=False),
        sa.Column("revealed", sa.Boolean, nullable=False),
        sa.Column("secret_expires_at", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
    )
    op.create_index("clients_key", "clients", ["provider", "client_id"], unique=True)
    op.create_index(
        "clients_owner_name",
        "clients",
        ["owner_provider", "owner_subject", "searched"],
        unique=True,
        sqlite_where=NOT_DELETED,
        postgresql_where=NOT_DELETED,
    )
    op.create_index("clients_client_id", "clients", ["client_id"])
    op.create_index("clients_owner", "clients", ["owner_provider", "owner_subject", "searched", "id"])
    op.create_index("clients_searched", "clients", ["searched", "id"])
    op.create_index("clients_provider", "clients", ["provider", "searched", "id"])
    op.create_index("clients_state", "clients", ["state", "searched", "id"])
    op.create_table(
        "registrations",
        sa.Column("client", sa.Text, sa.ForeignKey("clients.id"), primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )


def _make_agreements() -> None:
    op.create_table(
        "agreements",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("client", sa.Text, sa.ForeignKey("clients.id"), nullable=False),
        sa.Column("api", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("tier", sa.Text),
        sa.Column("asked_tier", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("terms", sa.Text, nullable=False),
        sa.Column("decision_reason", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("asked_at", sa.Double, nullable=False),
        sa.Column("decided_at", sa.Double),
    )
    op.create_index(
        "agreements_one",
        "agreements",
        ["client", "api"],
        unique=True,
        sqlite_where=NOT_REFUSED,
        postgresql_where=NOT_REFUSED,
    )
    op.create_index("agreements_client", "agreements", ["client", "asked_at", "id"])
    op.create_index("agreements_asked", "agreements", ["asked_at", "id"])
    op.create_index("agreements_state", "agreements", ["state", "asked_at", "id"])
    op.create_index("agreements_api", "agreements", ["api", "asked_at", "id"])


def _make_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("verb", sa.Text, nullable=False),
        sa.Column("client", sa.Text),
        sa.Column("agreement", sa.Text),
        sa.Column("api", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("link", sa.LargeBinary, nullable=False),
    )
    op.create_index("audit_client", "audit", ["client", "number"])
    op.create_index("audit_agreement", "audit", ["agreement", "number"])
    op.create_index("audit_actor", "audit", ["actor", "number"])


def _make_usage() -> None:
    op.create_table(
        "usage",
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("client_id", sa.Text, primary_key=True),
        sa.Column("api", sa.Text, primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("calls", sa.BigInteger, nullable=False),
    )
    op.create_index("usage_hour", "usage", ["hour"])


def _make_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("sid", sa.Text),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_index("sessions_subject", "sessions", ["provider", "subject"])
    op.create_index("sessions_sid", "sessions", ["provider", "sid"])
    op.create_index("sessions_expires", "sessions", ["expires_at"])
    op.create_table(
        "used",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_index("used_expires", "used", ["expires_at"])


def _protect_audit_in_sqlite() -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_refuses_{verb.lower()} BEFORE {verb} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END"
        )


def _protect_audit_in_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is never changed'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuses()"
    )
