"""The server's error texts and codes, in one place.

A ServerError carries the chain of causes as the server keeps it, outermost first; how the chain
is laid out depends on the message that failed (simple Query, Parse, Execute, Bind), so the
layout is made when it is sent. Texts come from recorded conversations; what is not recorded is
marked "assumed".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .versions import Version

NOT_IMPLEMENTED_HINT = (
    "No tracking issue yet. Feel free to submit a feature request at "
    "https://github.com/risingwavelabs/risingwave/issues/new"
    "?labels=type%2Ffeature&template=feature_request.yml"
)
RUN, PREPARE, EXECUTE, START = (
    "Failed to run the query",
    "Failed to prepare the statement",
    "Failed to execute the statement",
    "Failed to start a new session",
)


# Reasons for which a build may fail.
ADHOC_RECOVERY, INJECTED = "adhoc recovery", "injected failure"
RECOVERING = "The cluster is recovering-adhoc"


class ServerError(Exception):
    """An ErrorResponse: SQLSTATE and the chain of causes."""

    def __init__(self, *chain: str, code: str = "XX000") -> None:
        super().__init__(": ".join(chain))
        self.chain = chain
        self.code = code

    def report(self, headline: str | None) -> str:
        """The M field. Without a headline (Bind, Describe) the bare text is sent."""
        if headline is None:
            return ": ".join(self.chain)
        if len(self.chain) == 1:
            return f"{headline}\n\nCaused by:\n  {self.chain[0]}\n"
        lines = "".join(f"  {i}: {text}\n" for i, text in enumerate(self.chain, 1))
        return f"{headline}\n\nCaused by these errors (recent errors listed first):\n{lines}"


class SessionPanic(ServerError):
    """An error after which the server closes this connection."""


class SyntaxFailure(ServerError):
    """A parser error: quotes the line and marks the place."""

    def __init__(self, text: str, position: int, expected: str, found: str | None = None) -> None:
        start = text.rfind("\n", 0, position) + 1
        end = text.find("\n", position)
        line = text[start:] if end < 0 else text[start:end]
        label = f"LINE {text.count(chr(10), 0, position) + 1}: "
        problem = expected if found is None else f"expected {expected}, found: {found}"
        super().__init__(
            f"sql parser error: {problem}\n{label}{line}\n{' ' * (len(label) + position - start)}^"
        )


def catalog_error(text: str, code: str = "42704") -> ServerError:
    return ServerError("Catalog error", text, code=code)


def not_found(what: str, name: str) -> ServerError:
    return catalog_error(f"{what} not found: {name}")


def already_exists(kind: str, name: str, creating: bool = False) -> ServerError:
    return catalog_error(
        f"{kind} with name {name} exists" + (" but under creation" if creating else ""), "42710"
    )


def ddl_call(call: str, status: str) -> str:
    return f"gRPC request to meta service (call `/ddl_service.DdlService/{call}`) failed: {status}"


def exists_in_meta(call: str, what: str, name: str) -> ServerError:
    """A name is taken that the frontend thought free; recorded for RENAME, assumed for others."""
    return ServerError(
        "Catalog error",
        ddl_call(call, "Some entity that we attempted to create already exists"),
        f"{what} with name {name} exists",
        code="42710",
    )


def gone_in_meta(call: str, what: str, object_id: int) -> ServerError:
    """The frontend found an object that meta has not any more; known for SWAP, assumed for other
    calls.
    """
    return ServerError(
        "Catalog error",
        ddl_call(call, "Some requested entity was not found"),
        f"{what} id not found: {object_id}",
        code="42704",
    )


def not_implemented(what: str) -> ServerError:
    return ServerError(f"Feature is not yet implemented: {what}\n{NOT_IMPLEMENTED_HINT}")


def not_supported(what: str, hint: str) -> ServerError:
    """The hint is a part of the message."""
    return ServerError(f"Not supported: {what}\nHINT: {hint}")


def invalid_input(text: str) -> ServerError:
    return ServerError(f"Invalid input syntax: {text}")


def bad_parameter(text: str) -> ServerError:
    return ServerError(f"Invalid Parameter Value: {text}")


def denied(text: str) -> ServerError:
    return ServerError(f"Permission denied: {text}")


def bind_error(text: str) -> ServerError:
    return ServerError(f"Bind error: {text}")


def column_repeated(name: str) -> ServerError:
    return invalid_input(f'column "{name}" specified more than once')  # assumed


def cross_database(name: str) -> ServerError:
    return invalid_input(f'cross-database references are not implemented: "{name}"')


def bind_failure(expression: str, cause: str) -> ServerError:
    return ServerError(f"Failed to bind expression: {expression}", cause)


def invalid_column(expression: str, column: str) -> ServerError:
    return bind_failure(expression, f"Item not found: Invalid column: {column}")


def division_by_zero(text: str, on_compute_node: bool) -> ServerError:
    """The causes are one line when a compute node evaluated the expression, three when the
    frontend folded it.
    """
    expression = text.split("`")[1] if "`" in text else text
    parts = ("Expr error", f"error while evaluating expression `{expression}`", "Division by zero")
    return ServerError(": ".join(parts)) if on_compute_node else ServerError(*parts)


def no_such_user(role: str, name: str, version: Version) -> ServerError:
    if version.at_least(2, 6):
        return invalid_input(f'{role} "{name}" does not exist')
    return bind_error(f"{'Grantee' if role == 'User' else role} does not exist")


def no_grant_option(user: int) -> ServerError:
    # The chain is assumed.
    return denied(f"PermissionDenied: user {user} don't have privilege Select or grant option")


def granted_on(count: int) -> ServerError:
    # The chain is assumed.
    return denied(f"PermissionDenied: privileges granted to {count} other ones.")


def still_used(kind: str, lines: list[str]) -> ServerError:
    details = "\n".join(lines)
    return denied(
        f"PermissionDenied: {kind} used by {len(lines)} other objects. \nDETAIL: {details}\n"
        "HINT:  Use DROP ... CASCADE to drop the dependent objects too."
    )


def creating_job_blocks(count: int) -> ServerError:
    return denied(
        f"PermissionDenied: can not drop {count} creating streaming job, please cancel them firstly"
    )


def fragment_gone(relation_id: int) -> ServerError:
    return ServerError(
        "Scheduler error", f"Streaming vnode mapping not found for fragment {relation_id}"
    )


def snapshot_too_old(relation_id: int) -> ServerError:
    return ServerError("Scheduler error", f"table id {relation_id} may have been dropped")


def dropped_while_running(relation_id: int) -> ServerError:
    return ServerError(
        "Storage error",
        "Hummock error",
        f"Wait epoch error: table id {relation_id} has been dropped",
    )


def job_cancelled(call: str) -> ServerError:
    return ServerError(
        "Scheduler error",
        ddl_call(call, "The operation was cancelled"),
        "Cancelled: create",
    )


def build_failed(call: str, reason: str) -> ServerError:
    return ServerError(
        ddl_call(call, "Internal error"), f"failed to wait streaming job finish: {reason}"
    )


def recovering(call: str) -> ServerError:
    return ServerError(ddl_call(call, "Internal error"), RECOVERING)


def job_not_found(job_id: int) -> ServerError:
    return ServerError(
        "gRPC request to meta service (call `/meta.StreamManagerService/CancelCreatingJobs`) "
        "failed: Internal error",
        f"job {job_id} not found in database",
    )


def unknown_setting(name: str) -> ServerError:
    return ServerError("Failed to get/set session config", f"Unrecognized config entry `{name}`")


def bad_option(text: str) -> ServerError:
    return ServerError(f"Invalid start-up option `{text}`")  # assumed


def bad_setting(name: str, value: str) -> ServerError:
    return ServerError(
        "Failed to get/set session config", f"Invalid value `{value}` for `{name}`"
    )  # assumed


def unreadable_text() -> ServerError:
    return ServerError("invalid utf-8 sequence in the query")  # assumed; before 2.6 only


def query_cancelled() -> ServerError:
    return ServerError("Scheduler error", "Query cancelled: Cancelled by user")  # assumed


def injected() -> ServerError:
    return ServerError(INJECTED)
