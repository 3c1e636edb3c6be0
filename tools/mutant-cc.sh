#!/usr/bin/env bash
# The compiler of tools/mutants.py: gcc, plus the definition of the one mutant named in $MUTANT, if any.
exec gcc ${MUTANT:+"-DENT_MUTANT_$MUTANT=1"} "$@"
