#!/usr/bin/env python3
"""Writes man pages and completion from the table of commands: install-docs.py ENTENTE MANDIR COMPLETIONDIR.

Run by `meson install`; relative folders are below the prefix (with DESTDIR in front)."""
import json, os, subprocess, sys

entente, man, completion = sys.argv[1:]
prefix = os.environ.get("MESON_INSTALL_DESTDIR_PREFIX", "")
quiet = "MESON_INSTALL_QUIET" in os.environ


def write(folder, name, *command):
    folder = os.path.join(prefix, folder)
    os.makedirs(folder, exist_ok=True)
    text = subprocess.run([entente, *command], check=True, stdout=subprocess.PIPE).stdout
    with open(os.path.join(folder, name), "wb") as f:
        f.write(text)
    if not quiet:
        print("Installing", os.path.join(folder, name))


commands = json.loads(subprocess.run([entente, "help", "--json"], check=True, stdout=subprocess.PIPE).stdout)["commands"]
write(os.path.join(man, "man1"), "entente.1", "help", "--man")
for c in commands:
    write(os.path.join(man, "man1"), f"entente-{c['name']}.1", "help", "--man", c["name"])
write(completion, "entente", "completion")
