"""Who reaches whom, computed from the security groups of an applied state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Way:
    """One way in: what opens it (a security group's ID, or a range of addresses), and to which ports.

    Attributes:
        source: security group or range.
        first: first port.
        last: last port.
    """

    source: str
    first: int
    last: int


class Network:
    """The security groups of a state.

    Args:
        state: as the backend keeps it.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self._resources = state["resources"]

    def instances(self, kind: str, name: str | None = None) -> Iterator[dict[str, Any]]:
        """The attributes of every resource of a kind, or of those of one name (``aws_lb.model``: model)."""
        for resource in self._resources:
            named = name is None or resource["name"] == name
            if named and resource["type"] == kind and resource["mode"] == "managed":
                for instance in resource["instances"]:
                    yield instance["attributes"]

    def groups_of(self, kind: str, name: str | None = None) -> set[str]:
        """The security groups that the resources of a kind carry, or those of one name."""
        found: set[str] = set()
        for one in self.instances(kind, name):
            for name in ("security_groups", "vpc_security_group_ids", "security_group_ids"):
                found |= set(one.get(name) or ())
            for inner in one.get("network_configuration") or ():
                found |= set(inner["security_groups"])
        return found

    def ways_into(self, groups: set[str]) -> set[Way]:
        """Every way into what carries one of these groups."""
        found = set()
        for rule in self.instances("aws_vpc_security_group_ingress_rule"):
            if rule["security_group_id"] in groups:
                source = rule["referenced_security_group_id"] or rule["cidr_ipv4"] or rule["cidr_ipv6"] or "?"
                everything = rule["ip_protocol"] == "-1"
                first, last = (0, 65535) if everything else (rule["from_port"], rule["to_port"])
                found.add(Way(source, first, last))
        return found | self._inline(groups)

    def ways_out_of(self, source: str) -> set[Way]:
        """Where the rules of a security group let out to, as ways into the other end."""
        return {
            Way(
                rule["referenced_security_group_id"] or rule["cidr_ipv4"] or "?",
                rule["from_port"],
                rule["to_port"],
            )
            for rule in self.instances("aws_vpc_security_group_egress_rule")
            if rule["security_group_id"] == source
        }

    def _inline(self, groups: set[str]) -> set[Way]:
        """Rules that stand inside a group, as older configurations have them."""
        found = set()
        for group in self.instances("aws_security_group"):
            for rule in group.get("ingress") or () if group["id"] in groups else ():
                sources = [*rule["cidr_blocks"], *rule["ipv6_cidr_blocks"], *rule["security_groups"]]
                sources += [group["id"]] if rule["self"] else []
                found |= {Way(source, rule["from_port"], rule["to_port"]) for source in sources}
        return found
