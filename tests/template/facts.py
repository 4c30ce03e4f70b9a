"""What the architecture fixes: the functions, their services, and what each may touch."""

from stack import ROOT

NOT_ACTIONS = {"dispatcher", "scheduled-checks"}
# Functions that a parameter switches on.
OPTIONAL = {"api", "notify"}

# An action's folder, and the service that it calls.
SERVICES = {
    "check-worker-health": "kubernetes",
    "get-workflow-status": "orchestrator",
    "pause-workflow": "orchestrator",
    "reallocate-ticket": "execution-ticket-service",
    "restart-pod": "kubernetes",
    "restart-workflow": "orchestrator",
    "trigger-replanning": "orchestrator",
    "update-ticket-status": "execution-ticket-service",
}

DISPATCHER_TIMEOUT_SECONDS = 30
CHECKS_TIMEOUT_SECONDS = 55
ACTION_TIMEOUT_SECONDS = 120
FOURTEEN_DAYS = 14 * 24 * 60 * 60


def action_folders():
    """Every action that there is in functions/."""
    return sorted(path.parent.name for path in (ROOT / "functions").glob("*/Cargo.toml") if path.parent.name not in NOT_ACTIONS | OPTIONAL)


def functions():
    """Every function that there has to be."""
    return sorted(NOT_ACTIONS) + action_folders()


def action(folder):
    """The action's name in playbooks, queues and rows."""
    return folder.replace("-", "_")


def logical(folder):
    """reallocate-ticket is ReallocateTicket."""
    return "".join(word.capitalize() for word in folder.split("-"))


def work_queues():
    """Every queue with work on it, by its name within the stack."""
    return ["incidents", "results"] + [f"action-{action(folder)}" for folder in action_folders()]


def timeout_of(queue):
    """Seconds that the function behind a work queue may take."""
    return ACTION_TIMEOUT_SECONDS if queue.startswith("action-") else DISPATCHER_TIMEOUT_SECONDS
