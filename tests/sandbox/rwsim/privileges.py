"""Access control lists: who granted which letter to whom, printed as the system catalogs print
them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LETTERS = {
    "SELECT": "r",
    "INSERT": "a",
    "UPDATE": "w",
    "DELETE": "d",
    "CREATE": "C",
    "USAGE": "U",
    "EXECUTE": "X",
}
ALLOWED = {"table": "arwd", "materialized view": "r", "view": "r", "schema": "UC"}


@dataclass
class Acl:
    """Keyed by (grantee, grantor) user ids; each letter maps to whether it may be granted on."""

    entries: dict[tuple[int, int], dict[str, bool]] = field(default_factory=dict)

    def copy(self) -> Acl:
        return Acl({key: dict(held) for key, held in self.entries.items()})

    def grant(self, grantee: int, grantor: int, letters: str, grant_option: bool) -> None:
        held = self.entries.setdefault((grantee, grantor), {})
        for letter in letters:
            held[letter] = held.get(letter, False) or grant_option

    def revoke(self, grantee: int, letters: str, option_only: bool, by: int | None) -> None:
        """Takes away what `by` granted, or what anybody did."""
        for key in [key for key in self.entries if key[0] == grantee and by in (None, key[1])]:
            for letter in letters:
                if option_only and letter in self.entries[key]:
                    self.entries[key][letter] = False
                elif not option_only:
                    self.entries[key].pop(letter, None)
            if not self.entries[key]:
                del self.entries[key]

    def granted_on(self, grantor: int, letters: str) -> list[int]:
        """Who got one of the letters from this user."""
        return [
            key[0]
            for key, held in self.entries.items()
            if key[1] == grantor and any(letter in held for letter in letters)
        ]

    def may_grant(self, user: int, letter: str) -> bool:
        return any(key[0] == user and held.get(letter) for key, held in self.entries.items())

    def allows(self, user: int, letter: str) -> bool:
        return any(key[0] == user and letter in held for key, held in self.entries.items())

    def forget(self, user: int) -> None:
        self.entries = {key: held for key, held in self.entries.items() if user not in key}

    def items(self, names: dict[int, str], supers: list[str], super_letters: str) -> list[str]:
        """One text per entry. Superusers are always listed, as granted by root."""
        out = [f"{name}={super_letters}/root" for name in supers]
        for (grantee, grantor), held in self.entries.items():
            letters = "".join(letter + ("*" if option else "") for letter, option in held.items())
            if names.get(grantee) not in supers:
                out.append(f"{names.get(grantee)}={letters}/{names.get(grantor)}")
        return out


@dataclass
class DefaultPrivilege:
    """ALTER DEFAULT PRIVILEGES … GRANT SELECT: reaches relations when they are finished. Without IN
    SCHEMA there is one for each schema of that moment.
    """

    kind: str
    schema: int
    owner: int
    grantee: int
    grantor: int
    grant_option: bool

    def applies_to(self, kind: str, schema: int, owner: int) -> bool:
        return (self.kind, self.schema, self.owner) == (kind, schema, owner)
