"""Readable names from a till's abbreviations, and the bilingual names that are known."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

from customers.errors import BadInput
from customers.values import Name

# Abbreviations of the Complete Journey product table, whole words only.
WORDS = {
    "ACCES": "accessories", "ACCESS": "accessories", "APPLS": "apples", "ASST": "assorted",
    "ASSTD": "assorted", "BKFST": "breakfast", "BRKFST": "breakfast", "BF": "beef", "BNLS": "boneless",
    "BTL": "bottle", "BTLS": "bottles", "CAN": "can", "CARB": "carbonated", "CATFD": "cat food",
    "CHIX": "chicken", "CHICK": "chicken", "CHOC": "chocolate", "CHOCOCLATE": "chocolate", "CKN": "chicken",
    "CNTRL": "control", "CRMD": "creamed", "CRYSTL": "crystal", "DEOD": "deodorant", "DNR": "dinner",
    "DNRS": "dinners", "DRNK": "drink", "DRNKS": "drinks", "EX": "except", "EXCP": "except", "EXT": "extra",
    "FEM": "feminine", "FLVR": "flavour", "FLVRD": "flavoured", "FRSH": "fresh", "FRT": "fruit",
    "FRZ": "frozen", "FRZN": "frozen", "FS": "French style", "FZ": "frozen", "HH": "household",
    "HLTH": "health", "HYGN": "hygiene", "INCL": "including", "JCE": "juice", "LRG": "large",
    "LNCHMT": "lunch meat", "LUNCHMEAT": "lunch meat", "MISC": "miscellaneous", "MLT": "multi",
    "MULTIPK": "multi-pack", "MW": "microwave", "MXS": "mixes", "NAT": "natural", "ORGNC": "organic",
    "PK": "pack", "PKG": "package", "PKGD": "packaged", "PKT": "packet", "PREM": "premium",
    "PREP": "prepared", "PROD": "products", "PWDR": "powder", "REFRGRATD": "refrigerated",
    "RFRGRTD": "refrigerated", "RTE": "ready-to-eat", "RTS": "ready-to-serve", "SAUSGE": "sausage",
    "SFT": "soft", "SGL": "single", "SKNLS": "skinless", "SNGL": "single", "SP": "special",
    "SPEC": "special", "SPRD": "spread", "SRV": "serve", "SS": "single-serve", "STK": "stick",
    "SUP": "super", "SUPP": "supplies", "SUPPL": "supplements", "TKY": "turkey", "TRKY": "turkey",
    "VAL": "value", "VEG": "vegetables", "VEND": "vending", "VIT": "vitamin", "W": "with", "WHL": "whole",
    "WHT": "white", "YR": "year",
}  # fmt: skip

# Words that keep their capitals.
CAPITALS = {"BBQ", "DVD", "DVDS", "CD", "TV", "USDA", "US", "NZ", "SPF", "DXM", "USB", "AA", "AAA", "VHS"}

UNITS = {
    "OZ": "oz", "LB": "lb", "CT": "ct", "ML": "ml", "PK": "pack", "IN": "in", "FL": "fl", "FT": "ft",
    "SQ": "sq", "DZ": "dozen", "DOZ": "dozen", "CM": "cm", "PC": "pc", "CTN": "carton", "BTL": "bottle",
    "BAG": "bag", "CAN": "can", "STEM": "stem", "LOAD": "loads", "LOADS": "loads", "LD": "loads",
    "SHEETS": "sheets", "ROLL": "roll", "KIT": "kit", "LARGE": "large", "MED": "medium", "MEDIUM": "medium",
    "SMALL": "small", "MINI": "mini", "HALF": "half", "CUP": "cup", "GM": "g", "USE": "uses", "SIZE": "size",
    "CELL": "cell", "YD": "yd",
}  # fmt: skip

_WORD = re.compile(r"[A-Za-z]+")
_EXCEPTION = re.compile(r"\((?:EX|EXCP|EXCL|INCL|INCLUDING|GR|ALL OTHE)\b[^)]*\)?$")


def tidy(key: str) -> str:
    """Turn a till's key such as "FRZN SS PREMIUM ENTREES/DNRS/T" into words in sentence case.

    Known abbreviations are spelled out, an unfinished bracket at the end is closed or left out,
    and everything but known acronyms is lower case after the first letter. Never empty for a key
    that holds anything but blanks.
    """
    text = _EXCEPTION.sub("", " ".join(key.split())).strip(" -/") or key.strip()
    text = re.sub(r"(?<=[A-Za-z])\s*/\s*(?=[A-Za-z])", " / ", text)
    text = re.sub(r"\s*:\s*", ": ", text)
    text = re.sub(r"(?<=[A-Za-z])&(?=[A-Za-z])", " & ", text)
    text = _WORD.sub(lambda found: _word(found.group()), text)
    text = " ".join(text.replace(" / ", "/").split())
    if text.count("(") > text.count(")"):
        text += ")"
    return text[:1].upper() + text[1:]


def _word(word: str) -> str:
    upper = word.upper()
    return word.upper() if upper in CAPITALS else WORDS.get(upper, word.lower())


def tidy_size(size: str) -> str:
    """Turn "12 PK 12 OZ" into "12 pack 12 oz"; units keep their number, codes are kept as they are."""
    return " ".join(_WORD.sub(lambda found: UNITS.get(found.group(), found.group()), size).split())


def load_names(path: Path) -> dict[tuple[str, str], Name]:
    """Read bilingual names (CSV with kind, key, name_en, name_zh); nothing where there is no file."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = {"kind", "key", "name_en", "name_zh"} - set(reader.fieldnames or ())
        if missing:
            raise BadInput(
                f"{path}: lacks the column(s) {', '.join(sorted(missing))}; add them to the first line"
            )
        return {
            (row["kind"], row["key"]): Name(row["name_en"], row["name_zh"] or row["name_en"])
            for row in reader
            if row["name_en"]
        }


def name_rows(
    keys: dict[str, list[str]], known: dict[tuple[str, str], Name], tidy_keys: bool = True
) -> list[dict[str, str]]:
    """Return rows of `customers.schema.NAMES` for the keys of each kind.

    A key without a known name gets its tidied text (itself unless `tidy_keys`);
    where two keys of a kind would be called the
    same, the one without a known name carries its key in brackets.
    """
    rows: list[dict[str, str]] = []
    for kind, of_kind in keys.items():
        plain = {key: known.get((kind, key)) or _fallback(kind, key, tidy_keys) for key in of_kind}
        uses = Counter(name.en.lower() for name in plain.values())
        for key, name in plain.items():
            if uses[name.en.lower()] > 1 and (kind, key) not in known:
                name = Name(f"{name.en} ({key})", f"{name.zh} ({key})")
            rows.append({"kind": kind, "key": key, "name_en": name.en, "name_zh": name.zh})
    return rows


def _fallback(kind: str, key: str, tidy_keys: bool) -> Name:
    text = key.split("=", 1)[-1] if kind == "attribute_value" else (tidy(key) if tidy_keys else key)
    return Name(text, text)


def synonym_rows(keys: dict[str, list[str]], path: Path) -> list[dict[str, str]]:
    """Return rows of `customers.schema.SYNONYMS` (CSV with the same columns) for keys that are there."""
    there = {(kind, key) for kind, of_kind in keys.items() for key in of_kind}
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row for row in csv.DictReader(file) if (row["kind"], row["key"]) in there]
