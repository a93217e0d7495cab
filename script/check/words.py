#!/usr/bin/env python3
"""Tracked files speak of leat only: no paths of a machine, no words of how or by whom the work was organised."""
import re
import _lib

OWN = "script/check/words.py"
# Written in pieces, so that the list does not find itself.
WORDS = [r"(?<![\w.])/work/", r"(?<![\w.])/home/\w+/", r"(?<![\w./])/root/", r"/tmp/bash_jobs", r"\b[Cc]laude\b",
         r"\b[Aa]nthropic\b", r"\bChatGPT\b", r"\b[Cc]opilot\b", r"\blanguage model\b", r"\bAI (?:assistant|agent)\b",
         r"\b[Ii]ssue #?\d+\b", r"\b[Mm]ilestone \d", r"\b(?:this|next|earlier|previous|last) session of (?:the )?work\b",
         r"\bsub-?agents?\b", r"HELPER\.md"]
PATTERN = re.compile("|".join(WORDS))


def main():
    findings = []
    for path in _lib.files():
        text = _lib.read(path)
        if path == OWN or "\0" in text[:4096]:
            continue
        for found in PATTERN.finditer(text):
            findings.append(f"{path}:{_lib.line_of(text, found.start())}: {found.group(0)}")
    _lib.finish(findings)


main()
