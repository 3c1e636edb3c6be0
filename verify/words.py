#!/usr/bin/env python3
"""words.py INPUT OUTPUT: the word list as a table of this program's own (data, so that no source is shared)."""
import re
import sys

words = re.findall(r'"([a-z]{3,8})"', open(sys.argv[1], encoding="utf-8").read())
assert len(words) == 2048 and words == sorted(words)
with open(sys.argv[2], "w", encoding="utf-8") as out:
    out.write("extern const char *const ent_verify_words[2048];\nconst char *const ent_verify_words[2048] = {\n")
    out.writelines(f'"{w}",\n' for w in words)
    out.write("};\n")
