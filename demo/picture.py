#!/usr/bin/env python3
"""Turns the text of a terminal session (standard input) into docs/demo.svg, so that the README shows what a real run printed.

usage: demo/run.sh | demo/picture.py [FIRST_LINE LAST_LINE] > docs/demo.svg"""
import html
import sys


def main():
    lines = [line.rstrip("\n")[:96] for line in sys.stdin]
    if len(sys.argv) == 3:
        lines = lines[int(sys.argv[1]) - 1:int(sys.argv[2])]
    width, step = 96 * 8 + 40, 18
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{len(lines) * step + 60}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13">')
    print('<rect width="100%" height="100%" rx="8" fill="#16181d"/>')
    for i, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        print(f'<circle cx="{22 + 20 * i}" cy="20" r="6" fill="{colour}"/>')
    for i, line in enumerate(lines):
        colour = "#7ee787" if line.startswith("$") else "#ffa657" if line.startswith(("refused", "  why", "  next")) else "#79c0ff" if line.startswith("==") else "#c9d1d9"
        print(f'<text x="20" y="{50 + i * step}" fill="{colour}" xml:space="preserve">{html.escape(line)}</text>')
    print("</svg>")


main()
