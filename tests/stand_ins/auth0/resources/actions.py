# SPDX-License-Identifier: MIT
"""Actions with versions and deployment, and the token exchange profiles that they decide for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.stand_ins.auth0.resources.base import (
    Record,
    Records,
    checkpoint_page,
    fields_of,
    invalid,
    new_id,
    taken,
)
from tests.stand_ins.auth0.web import Call, Reply, api_refusal, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable

EXCHANGE: Final = "custom-token-exchange"
RUNTIME: Final = "node22"
_ALLOWED: Final = ("name", "supported_triggers", "code", "dependencies", "runtime", "secrets")
_TRIGGERS: Final = {"post-login": "v3", "credentials-exchange": "v2", EXCHANGE: "v1"}
_RUNTIMES: Final = ("node12", "node18-actions", "node22")
_MOST: Final = 100


class Actions(Records):
    """Handlers. `secrets` keep their values, which nobody is shown."""

    def __init__(self, authorize: Callable[..., Record], stamp: Callable[[], str]) -> None:
        super().__init__(authorize, stamp)
        self.deployed: dict[str, Record] = {}
        """Action → the version that runs."""
        self._versions: dict[str, int] = {}

    def add(self, name: str, trigger: str, *, deploy: bool = True, **fields: Any) -> Record:
        """Add an Action, deployed or not."""
        made = {
            "id": new_id(length=36),
            "name": name,
            "supported_triggers": [{"id": trigger, "version": _TRIGGERS[trigger]}],
            "code": "",
            "dependencies": [],
            "runtime": RUNTIME,
            "secrets": [],
            "status": "built",
            "created_at": self.stamp(),
            "updated_at": self.stamp(),
            "all_changes_deployed": False,
            "installed_integration_id": None,
            **fields,
        }
        self.by_id[made["id"]] = made
        if deploy:
            self._deploy(made)
        return made

    def secrets_of(self, action_id: object) -> dict[str, str] | None:
        """Return the secrets of the version that runs; None when none does."""
        version = self.deployed.get(str(action_id))
        return None if version is None else {one["name"]: one["value"] for one in version["secrets"]}

    def triggers(self, call: Call) -> Reply:
        """GET /api/v2/actions/triggers."""
        self.authorize(call, "read:actions")
        named = [
            {
                "id": name,
                "version": version,
                "status": "CURRENT",
                "runtimes": list(_RUNTIMES),
                "default_runtime": RUNTIME,
                "compatible_triggers": [],
                "binding_policy": "entity-bound" if name == EXCHANGE else "trigger-bound",
            }
            for name, version in _TRIGGERS.items()
        ]
        old = {"id": "post-login", "version": "v1", "status": "DEPRECATED", "runtimes": ["node12"]}
        return json_reply(200, {"triggers": [*named, {**old, "default_runtime": "node12"}]})

    def list(self, call: Call) -> Reply:
        """GET /api/v2/actions/actions, by trigger, name (a part of it will do) and deployment."""
        self.authorize(call, "read:actions")
        found = list(self.by_id.values())
        if "triggerId" in call.query:
            found = [one for one in found if one["supported_triggers"][0]["id"] == call.query["triggerId"]]
        if "actionName" in call.query:
            found = [one for one in found if call.query["actionName"].lower() in one["name"].lower()]
        page, size = int(call.query.get("page", "0")), min(int(call.query.get("per_page", "50")), _MOST)
        shown = [self._shown(one) for one in found[page * size : (page + 1) * size]]
        return json_reply(200, {"total": len(found), "page": page, "per_page": size, "actions": shown})

    def get(self, call: Call) -> Reply:
        """GET /api/v2/actions/actions/{id}."""
        self.authorize(call, "read:actions")
        return json_reply(200, self._shown(self.existing(call.segments[4], "action")))

    def create(self, call: Call) -> Reply:
        """POST /api/v2/actions/actions: a draft, which runs once it is deployed."""
        self.authorize(call, "create:actions")
        fields = fields_of(call, (*_ALLOWED, "deploy"), ["name", "supported_triggers"])
        self._check(fields)
        if any(one["name"] == fields["name"] for one in self.by_id.values()):
            raise taken("An action with the same name already exists.")
        made = self.add(fields.pop("name"), fields.pop("supported_triggers")[0]["id"], **{"deploy": False, **fields})
        return json_reply(201, self._shown(made))

    def update(self, call: Call) -> Reply:
        """PATCH /api/v2/actions/actions/{id}: changes the draft; secrets are replaced, a name without value is kept."""
        self.authorize(call, "update:actions")
        action = self.existing(call.segments[4], "action")
        fields = fields_of(call, _ALLOWED)
        self._check({"supported_triggers": action["supported_triggers"], **fields})
        if "secrets" in fields:
            old = {one["name"]: one["value"] for one in action["secrets"]}
            new = fields["secrets"]
            fields["secrets"] = [{"name": one["name"], "value": one.get("value", old.get(one["name"]))} for one in new]
        action.update(fields, updated_at=self.stamp(), all_changes_deployed=False)
        return json_reply(200, self._shown(action))

    def deploy(self, call: Call) -> Reply:
        """POST /api/v2/actions/actions/{id}/deploy: makes a version of the draft and runs it."""
        self.authorize(call, "create:actions")
        action = self.existing(call.segments[4], "action")
        self._deploy(action)
        return json_reply(202, self._version(action))

    def _deploy(self, action: Record) -> None:
        self._versions[action["id"]] = self._versions.get(action["id"], 0) + 1
        action["all_changes_deployed"] = True
        number = self._versions[action["id"]]
        self.deployed[action["id"]] = {**action, "number": number, "built_at": self.stamp(), "version_id": new_id()}

    def _version(self, action: Record) -> Record:
        running = self.deployed[action["id"]]
        kept = ("code", "dependencies", "runtime", "status", "number", "built_at", "supported_triggers", "created_at")
        shown = {name: running[name] for name in kept}
        secrets = [{"name": one["name"], "updated_at": running["updated_at"]} for one in running["secrets"]]
        return {"id": running["version_id"], "action_id": action["id"], "deployed": True, "secrets": secrets, **shown}

    def _shown(self, action: Record) -> Record:
        secrets = [{"name": one["name"], "updated_at": action["updated_at"]} for one in action["secrets"]]
        shown = {**action, "secrets": secrets}
        return {**shown, "deployed_version": self._version(action)} if action["id"] in self.deployed else shown

    def _check(self, fields: Record) -> None:
        triggers = fields["supported_triggers"]
        if not isinstance(triggers, list) or len(triggers) != 1 or triggers[0].get("id") not in _TRIGGERS:
            raise invalid("Expected exactly one trigger on property supported_triggers")
        if fields.get("runtime", RUNTIME) not in _RUNTIMES:
            raise invalid("No enum match for property runtime")


class Exchanges(Records):
    """Token exchange profiles: which Action decides about which type of subject token."""

    def __init__(self, authorize: Callable[..., Record], stamp: Callable[[], str], actions: Actions) -> None:
        super().__init__(authorize, stamp)
        self._actions = actions

    def add(self, name: str, subject_token_type: str, action_id: str) -> Record:
        """Add a profile."""
        made = {
            "id": new_id("tep_"),
            "name": name,
            "subject_token_type": subject_token_type,
            "action_id": action_id,
            "type": "custom_authentication",
            "created_at": self.stamp(),
            "updated_at": self.stamp(),
        }
        self.by_id[made["id"]] = made
        return made

    def of_type(self, subject_token_type: object) -> Record | None:
        """Return the profile for that type of subject token."""
        return next((one for one in self.by_id.values() if one["subject_token_type"] == subject_token_type), None)

    def list(self, call: Call) -> Reply:
        """GET /api/v2/token-exchange-profiles."""
        self.authorize(call, "read:token_exchange_profiles")
        return checkpoint_page(call, "token_exchange_profiles", list(self.by_id.values()))

    def create(self, call: Call) -> Reply:
        """POST /api/v2/token-exchange-profiles: of an Action that is deployed, for a type that no other has."""
        self.authorize(call, "create:token_exchange_profiles")
        names = ("name", "subject_token_type", "action_id", "type")
        fields = fields_of(call, names, names)
        action = self._actions.by_id.get(fields["action_id"])
        if action is None or action["supported_triggers"][0]["id"] != EXCHANGE:
            raise api_refusal(400, "The action does not exist or has another trigger.", "invalid_body")
        if fields["action_id"] not in self._actions.deployed:
            raise api_refusal(400, "The action must be deployed first.", "action_not_deployed")
        if self.of_type(fields["subject_token_type"]):
            raise taken("A token exchange profile with the same subject_token_type already exists.")
        return json_reply(201, self.add(fields["name"], fields["subject_token_type"], fields["action_id"]))

    def update(self, call: Call) -> Reply:
        """PATCH /api/v2/token-exchange-profiles/{id}: name and type of subject token; never the Action."""
        self.authorize(call, "update:token_exchange_profiles")
        profile = self.existing(call.segments[3], "token exchange profile")
        fields = fields_of(call, ("name", "subject_token_type"))
        other = self.of_type(fields.get("subject_token_type"))
        if other is not None and other is not profile:
            raise taken("A token exchange profile with the same subject_token_type already exists.")
        profile.update(fields, updated_at=self.stamp())
        return Reply(204)

    def delete(self, call: Call) -> Reply:
        """DELETE /api/v2/token-exchange-profiles/{id}."""
        self.authorize(call, "delete:token_exchange_profiles")
        self.existing(call.segments[3], "token exchange profile")
        del self.by_id[call.segments[3]]
        return Reply(204)
