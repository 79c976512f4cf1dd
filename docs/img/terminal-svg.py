#!/usr/bin/env python3
"""Turns what a terminal shows into an SVG: text with SGR escapes on stdin, SVG on stdout.

How docs/img/watch.svg was made (the ledger is a generated one of 160 candidates):

    cargo bench --bench log -- 160 /tmp/experiments.jsonl
    tmux -u new-session -d -s picture -x 112 -y 34 'autoresearch watch --file /tmp/experiments.jsonl'
    tmux capture-pane -p -e -N -t picture | docs/img/terminal-svg.py > docs/img/watch.svg
"""

import re
import sys
from html import escape

WIDTH, HEIGHT, MARGIN = 8.4, 18, 12
INK, PAPER = "#d5d9e0", "#16191f"
COLORS = ["#3a3f4b", "#e06c75", "#7ec87e", "#e0b45c", "#61a0ef", "#c678dd", "#4fb8c4", INK,
          "#7a8290", "#e06c75", "#7ec87e", "#e0b45c", "#61a0ef", "#c678dd", "#4fb8c4", "#ffffff"]


def spans(line, style):
    """The line's pieces of one style, with the style in force after it."""
    pieces = []
    for part in re.split(r"(\x1b\[[0-9;]*m|\x1b[()][0-9A-B]|[\x0e\x0f])", line):
        escape_code = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if not escape_code:
            if part and part[0] not in "\x1b\x0e\x0f":
                pieces.append((part, dict(style)))
            continue
        codes = [int(code or 0) for code in escape_code[1].split(";")]
        while codes:
            code = codes.pop(0)
            if code == 0:
                style = {}
            elif code == 1:
                style["bold"] = True
            elif code == 7:
                style["reverse"] = True
            elif 30 <= code < 38 or 90 <= code < 98:
                style["ink"] = COLORS[code - 30 if code < 90 else code - 82]
            elif code == 38 and codes[:1] == [5]:
                style["ink"] = COLORS[codes[1] % 16]
                codes = codes[2:]
            elif code == 39:
                style.pop("ink", None)
    return pieces, style


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    style, body, columns = {}, [], 0
    for row, line in enumerate(lines):
        pieces, style = spans(line, style)
        x, top = MARGIN, MARGIN + row * HEIGHT
        for text, look in pieces:
            width = len(text) * WIDTH
            ink = look.get("ink", INK)
            if look.get("reverse"):
                body.append(f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{HEIGHT}" fill="{ink}"/>')
                ink = PAPER
            if text.strip():
                bold = ' font-weight="bold"' if look.get("bold") else ""
                body.append(f'<text x="{x:.1f}" y="{top + 13.5}" fill="{ink}"{bold} textLength="{width:.1f}" '
                            f'xml:space="preserve">{escape(text)}</text>')
            x += width
        columns = max(columns, round((x - MARGIN) / WIDTH))
    width, height = columns * WIDTH + 2 * MARGIN, len(lines) * HEIGHT + 2 * MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-size="14" '
          f'font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace">')
    print(f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>')
    print("\n".join(body))
    print("</svg>")


main()
