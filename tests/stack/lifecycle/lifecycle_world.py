"""One model on a real stack, and how a command runs in it: with a fault, overtaken, or after a dead one."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field

import lifecycle_commands as commands
from hypothesis import note
from lifecycle_commands import POLICIES, Command, Plan
from lifecycle_faults import Fault, Network, SimulatedCrash, leases_run_out
from lifecycle_oracle import Chronicle

from mlflowctl.errors import MlflowctlError
from mlflowctl.registry import leases
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.moves import Move
from mlflowctl.registry.port import Version
from mlflowctl.registry.rest import Rest


@dataclass
class World:
    """What all examples share: a stack, two people, the network, and counts of what happened."""

    desks: list[Desk]
    plain: Rest
    network: Network
    counts: Counter[str] = field(default_factory=Counter)


class Life:
    """One model.

    Attributes:
        chronicle: its ledger, read along.
        plans: promotions that were planned and may be applied at any time.
        rollbacks: the same of rollbacks.
        versions: how many were registered.
        drifted: changed behind the ledger, and not reconciled since.
        lease_left: a dead command's lease has not run out yet.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.model = f"lifecycle {uuid.uuid4().hex[:10]}"
        self.chronicle = Chronicle()
        self.plans: list[Plan] = []
        self.rollbacks: list[Move] = []
        self.versions = 0
        self.drifted = False
        self.lease_left = False
        self.commands = 0
        self.aside: list[str] = []  # what happened in a thread of the library's, where no notes can be made

    def run(
        self, name: str, command: Command, fault: Fault | None = None, patient: bool = True, other: str = ""
    ) -> str:
        """Run one command.

        Args:
            name: for the counts.
            command: what to do, at a desk.
            fault: that strikes at one of its calls, if it makes so many.
            patient: wait until a dead command's lease has run out; else come while it is held.
            other: the command that overtakes this one, if the fault says so.

        Returns:
            What it said: "done", "nothing to do", "crashed", or the name of the typed error.
        """
        self.commands += 1
        desk = self.world.desks[self.commands % 2]
        if not self.lease_left:
            with self.world.network.late_ones_behind():
                return self._run(name, desk, command, fault, other)
        if not patient:
            with self.world.network.late_ones_behind():
                return self._run(f"{name} (hasty)", desk, command, None, "")
        self.world.network.arrive()
        with leases_run_out():
            self.lease_left = False
            return self._run(name, desk, command, fault, other)

    def _run(self, name: str, desk: Desk, command: Command, fault: Fault | None, other: str) -> str:
        network = self.world.network
        network.reset()
        network.fault = Fault(fault.kind, fault.at) if fault else None
        network.other = lambda: self._overtaking(other)
        try:
            said = command(desk)
        except SimulatedCrash:
            said = "crashed"
        except MlflowctlError as exc:
            said = type(exc).__name__
            note(f"    {exc.what}")
        while self.aside:
            note(self.aside.pop(0))
        struck, calls = network.struck, network.calls
        network.reset()
        self.lease_left |= self._lease_is_held()
        self.world.counts[f"{name}: {said}"] += 1
        if fault and struck:
            self.world.counts[
                f"fault: {fault.kind}{'' if isinstance(fault.at, int) else f' ({fault.at})'}"
            ] += 1
        note(f"{name}: {said} after {calls} calls" + (f", {fault} struck {struck}" if struck else ""))
        assert said != "BrokenLedgerError"
        return said

    def _overtaking(self, other: str) -> None:
        """The other command, in the middle of the first one's call."""
        network, model = self.world.network, self.model
        options: dict[str, Command] = {
            "rollback": lambda desk: commands.roll_back(desk, model, None),
            "promote": lambda desk: commands.promote(desk, model, POLICIES["a"], False),
            "reconcile": lambda desk: commands.mend(desk, model, "registry"),
            "freeze": lambda desk: commands.freeze(desk, model, True),
            "retire": lambda desk: commands.retire(desk, model),
            "break glass": lambda desk: self.glass(desk, None),
        }
        kept = network.fault, network.struck, network.calls, network.switched
        network.fault = None
        try:
            said = options[other](self.world.desks[(self.commands + 1) % 2])
        except MlflowctlError as exc:
            said = type(exc).__name__
        network.fault, network.struck, network.calls, network.switched = kept
        self.world.counts[f"overtaken by {other}: {said}"] += 1
        self.aside.append(f"overtaken by {other}: {said}")

    def _lease_is_held(self) -> bool:
        record, age = leases.look(self.world.desks[0].objects, self.model)
        return not leases.is_free(record, age)

    def glass(self, desk: Desk, expect: int | None) -> str:
        """A rollback that the ledger hears of later."""
        self.drifted = True
        return commands.break_glass(desk, self.model, expect)

    def foreign(self, name: str, path: str, body: dict[str, object], method: str = "POST") -> None:
        """Another client, which never heard of this tool; the guard may refuse it."""
        try:
            self.world.plain.post(path, body, method=method)
            self.drifted, said = True, "done"
        except MlflowctlError as exc:
            said = type(exc).__name__
        self.world.counts[f"{name}: {said}"] += 1
        note(f"{name}: {said}")

    def seen(self) -> tuple[list[Version], Version | None, Version | None]:
        """All versions, the champion and the challenger, as the registry shows them."""
        registry = self.world.desks[0].registry
        if not self.versions:
            return [], None, None
        found = list(registry.versions(self.model))
        return found, registry.champion(self.model), registry.challenger(self.model)
