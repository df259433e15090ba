#!/usr/bin/env bash
# Runs the checker against clusters that are wrong on purpose: $1 is a binary with the feature `failpoints`.
# Each mutant must break the invariant beside it; and without a mutant the same run must break none of that name.
set -euo pipefail

binary=$1
# Debug or not, alone on the machine or not: the mutants lose and double, they are not only late.
slack=${SLACK:-4}

# mutant, the invariant that it must break, nodes, seconds, faults
cases='
AnsweredWhenQueued I1 3 17 node-kill
DeliveredBeforeCommit I6 3 20 postgres-stop
UnknownBatchRetried I4 3 34 postgres-swallow,postgres-swallow
GenerationKept I1 1 24 postgres-promote
NobodyRecovers I9 3 17 node-kill
RefusesAfterTheFirstFault I11 3 50 postgres-stop
OwnCommitPastTheDoor I6 3 24 node-kill
'

# Prints the names of the invariants that a run broke, in one line.
broken() {
    local report
    report=$("$binary" load chaos --spawn --nodes "$2" --seconds "$3" --faults "$4" --seed "${SEED:-5}" --slack "$slack" \
        --json 2>"$1" || true)
    if [ -z "$report" ]; then
        echo "the run could not be finished: $(tail -n 1 "$1")" >&2
        return 1
    fi
    grep -o '"invariant":"I[0-9]*"' <<<"$report" | cut -d'"' -f4 | tr '\n' ' ' || true
}

words=$(mktemp)
trap 'rm -f "$words"' EXIT
survived=0
while read -r mutant invariant nodes seconds faults; do
    [ -n "$mutant" ] || continue
    found=" $(FANFARE_MUTANT=$mutant broken "$words" "$nodes" "$seconds" "$faults")"
    if [[ $found == *" $invariant "* ]]; then
        printf '%-28s caught by %-4s %s\n' "$mutant" "$invariant" "$(grep -m 1 "^$invariant BROKEN" "$words" | cut -c1-160)"
    else
        printf '%-28s SURVIVED %s (broken:%s)\n' "$mutant" "$faults" "$found"
        survived=1
    fi
done <<<"$cases"

# What catches them must not be what it says of every cluster.
while read -r nodes seconds faults; do
    [ -n "$nodes" ] || continue
    found=" $(broken "$words" "$nodes" "$seconds" "$faults")"
    for invariant in I1 I4 I6 I9 I11; do
        if [[ $found == *" $invariant "* ]]; then
            printf 'no mutant, %s: %s IS BROKEN: %s\n' "$faults" "$invariant" "$(grep -m 1 "^$invariant BROKEN" "$words")"
            survived=1
        fi
    done
done <<<"
3 17 node-kill
3 20 postgres-stop
"
exit $survived
