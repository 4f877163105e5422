#!/bin/sh
# Runs every fuzz target of the tree for a fixed count of executions and prints
# one line for each: package, target, executions, seconds, result. A count, not
# a time: the work is the same on a slow machine.
#
#   FUZZ_N         executions of each target (250000); of those that run a whole
#                  database or server, which take milliseconds, a fiftieth
#   FUZZ_PARALLEL  processes of one target (the count of CPUs, by go's default)
#   FUZZ_PACKAGES  where to look for targets (./...)
#   FUZZ_ONLY      regular expression: targets whose "package Target" matches
#
# The status is 1 if any target failed. What go test wrote about a failure goes
# to standard error; the input that failed is in the package's testdata/fuzz.
set -u
n=${FUZZ_N:-250000}
go=${GO:-go}
out=$(mktemp) || exit 1
list=$(mktemp) || exit 1
trap 'rm -f "$out" "$list"' EXIT
trap 'exit 1' INT TERM

# The names of a package's targets come before the line that names the package.
$go test -list '^Fuzz' ${FUZZ_PACKAGES:-./...} >"$out" || { cat "$out" >&2; exit 1; }
awk '/^Fuzz/ { names[++k] = $1 }
     /^ok/   { for (i = 1; i <= k; i++) print $2, names[i]; k = 0 }' "$out" >"$list"

status=0 targets=0 total=0
while read -r pkg name; do
	if [ -n "${FUZZ_ONLY:-}" ] && ! echo "$pkg $name" | grep -Eq "$FUZZ_ONLY"; then
		continue
	fi
	count=$n
	case "$pkg $name" in
	*"internal/query FuzzStatements" | *"internal/session FuzzConnection" | *"cluster/gossip FuzzPacket" | *"cluster/gossip FuzzStream") count=$((n / 50 + 1)) ;;
	esac
	begin=$(date +%s)
	result=ok
	$go test -run '^$' -fuzz "^$name\$" -fuzztime "${count}x" -fuzzminimizetime 1x \
		${FUZZ_PARALLEL:+-parallel "$FUZZ_PARALLEL"} "$pkg" >"$out" 2>&1 </dev/null || result=FAILED
	end=$(date +%s)
	execs=$(awk '{ for (i = 1; i < NF; i++) if ($i == "execs:") e = $(i + 1) } END { print e + 0 }' "$out")
	printf '%-44s %-22s %10d execs %5d s  %s\n' "$pkg" "$name" "$execs" $((end - begin)) "$result"
	if [ "$result" != ok ]; then
		cat "$out" >&2
		status=1
	fi
	targets=$((targets + 1))
	total=$((total + execs))
done <"$list"
echo "$targets targets, $total executions"
[ "$targets" -gt 0 ] || { echo "no fuzz target found" >&2; exit 1; }
exit $status
