"""Text of models, data and askers made inert, and the little Markdown that answers may use.

The chat renders Markdown and HTML, so every character of ASCII punctuation is written as a numeric
entity: CommonMark (2.5) gives entities no structural meaning, and HTML gives them none either.
"""

from __future__ import annotations

import html
import re

_PUNCTUATION = {ord(c): f"&#{ord(c)};" for c in r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"""}
_INLINE = re.compile(
    r"\\(?P<literal>[!-/:-@\[-`{-~])"
    r"|\*\*(?P<bold>[^*\n]+?)\*\*"
    r"|\[(?P<cites>\d{1,3}(?:\s*[,，、]\s*\d{1,3})*)\]"
)
_BULLET = re.compile(r"\s*[-*•]\s+")
_NUMBER = re.compile(r"\s*\d{1,3}[.)]\s+")
_ROW = re.compile(r"\s*\|.*\|\s*$")
_RULE = re.compile(r"[\s|:-]+")
_CELLS = re.compile(r"(?<!\\)\|")
_HEADING = re.compile(r"#{1,6}\s+")


def inert(value: object) -> str:
    """Return `value` as text that neither Markdown nor HTML can take for anything but text."""
    return str(value).translate(_PUNCTUATION)


def inline(text: str) -> str:
    """Return one line of an answer as HTML: bold, citations [n] and backslash escapes are known,
    everything else is text."""
    out, at = [], 0
    for found in _INLINE.finditer(text):
        out.append(inert(text[at : found.start()]))
        at = found.end()
        if found["literal"]:
            out.append(inert(found["literal"]))
        elif found["bold"]:
            out.append(f"<strong>{inline(found['bold'])}</strong>")
        else:
            out.extend(_citation(n) for n in re.findall(r"\d+", found["cites"]))
    out.append(inert(text[at:]))
    return "".join(out)


def _citation(n: str) -> str:
    return f'<button type="button" class="cite" title="{n}">{n}</button>'


def answer(text: str) -> str:
    """Return an answer's Markdown as HTML in one line: paragraphs, lists, tables and what `inline` knows.

    Entities are resolved first: the agent may have escaped its data for HTML already.
    """
    blocks: list[tuple[str, list[str]]] = []
    for line in html.unescape(text).splitlines():
        kind, content = _block(line)
        if not content:
            blocks.append(("", []))
            continue
        if kind in ("ul", "ol") and len(blocks) > 1 and not blocks[-1][1] and blocks[-2][0] == kind:
            blocks.pop()  # a blank line between two items does not end a list
        if blocks and blocks[-1][0] == kind:
            blocks[-1][1].append(content)
        else:
            blocks.append((kind, [content]))
    return "".join(_html_of(kind, lines) for kind, lines in blocks if lines)


def _block(line: str) -> tuple[str, str]:
    if _ROW.match(line):
        return "table", line.strip()
    for kind, pattern in (("ul", _BULLET), ("ol", _NUMBER), ("h", _HEADING)):
        found = pattern.match(line)
        if found:
            return kind, line[found.end() :].strip()
    return "p", line.strip()


def _html_of(kind: str, lines: list[str]) -> str:
    if kind in ("ul", "ol"):
        return f"<{kind}>" + "".join(f"<li>{inline(line)}</li>" for line in lines) + f"</{kind}>"
    if kind == "table" and len(lines) > 1 and _RULE.fullmatch(lines[1]):
        head, *rows = (_CELLS.split(line)[1:-1] for line in (lines[0], *lines[2:]))
        body = "".join(f"<tr>{_cells(row, 'td')}</tr>" for row in rows)
        return f'<div class="rows"><table><thead><tr>{_cells(head, "th")}</tr></thead><tbody>{body}</tbody></table></div>'
    if kind == "h":
        return "".join(f"<p><strong>{inline(line)}</strong></p>" for line in lines)
    return "<p>" + "<br>".join(inline(line) for line in lines) + "</p>"


def _cells(row: list[str], tag: str) -> str:
    return "".join(f"<{tag}>{inline(cell.strip())}</{tag}>" for cell in row)


# What could still begin a tag, an image, a link, a reference or a formula.
_TAKEN = {"<": "&lt;", "![": "&#33;[", "](": "]&#40;", "]:": "]&#58;", "][": "]&#91;", "$$": "&#36;&#36;"}
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_IMAGE_LINE = re.compile(r"^[ \t]*!\[[^\]\n]*\]\([^)\n]*\)[ \t]*$", re.MULTILINE)


def report(markdown: str) -> str:
    """Return a report's Markdown with its tables and headings kept, and with no HTML, no link and
    no image left in it."""
    text = _LINK.sub(r"\1", _IMAGE_LINE.sub("", markdown))
    for taken, harmless in _TAKEN.items():
        text = text.replace(taken, harmless)
    return text
