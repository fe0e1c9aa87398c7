#!/bin/sh
# Runs the conformance suite under NVIDIA's compute-sanitizer and prints a table: a
# line for each checker and element type. It ends with 0 where every line is clean,
# with 1 where one is not, errors, failed tests and lines that ran out of time alike.
#
#   go test -c -o cuda.test ./runners/cuda                    where Go is
#   sh runners/cuda/bench/sanitize.sh ./cuda.test [CHECKER]…  where the card is
#
# Checkers: memcheck synccheck racecheck initcheck, all where none is named.
# racecheck and initcheck, the slow ones, leave out "company", which runs the
# kernels of the other cases again. Environment:
#
#   KINDS   element types, of float32 bfloat16 float16 for_8.0 (the default)
#   CASES   a regular expression of the suite's cases instead of all
#   LIMIT   seconds that a line may take (default 200)
#   LOGS    the folder for what the checkers say (default: a new one)
#   FLAGS   more flags for compute-sanitizer
#   SANITIZER  where it lies, if not on the path or in /usr/local/cuda/bin
set -u

usage() { sed -n '2,/^set -u/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -ge 1 ] || usage
binary=$1
shift
[ -f "$binary" ] && [ -x "$binary" ] || { echo "$binary is no program: go test -c makes it" >&2; exit 2; }
case $binary in /*) ;; *) binary=$PWD/$binary ;; esac
sanitizer=${SANITIZER:-$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)}
command -v "$sanitizer" >/dev/null || { echo "compute-sanitizer is not here ($sanitizer): the CUDA toolkit has it; SANITIZER names it" >&2; exit 2; }
[ $# -gt 0 ] || set -- memcheck synccheck racecheck initcheck
for checker; do
	case $checker in
	memcheck | synccheck | racecheck | initcheck) ;;
	*) echo "unknown checker \"$checker\": have memcheck, synccheck, racecheck, initcheck" >&2; exit 2 ;;
	esac
done
kinds=${KINDS:-float32 bfloat16 float16 for_8.0}
limit=${LIMIT:-200}
logs=${LOGS:-$(mktemp -d)}
mkdir -p "$logs"
export SNAPBENCH_DEVICES=cuda # a card that is missing is a failure
export SNAPBENCH_APART=1      # each block an allocation of its own: see arena.apart

# verdict STATUS LOG says how a line went, and "clean" where all is well.
verdict() {
	summary=$(grep -E 'ERROR SUMMARY|RACECHECK SUMMARY' "$2" | tail -1 | sed 's/.*SUMMARY: *//')
	ran=$(grep -E '^=== RUN +TestConformance/[^/]+/' "$2")
	case $1 in
	124 | 137) echo "out of time in ${ran##*/}" ;;
	97) echo "${summary:-errors}" ;;
	0)
		if [ -z "$summary" ]; then
			echo "nothing was checked: $(grep -m1 '^=========' "$2")"
		elif ! echo "$summary" | grep -qE '^0 (errors|hazards)'; then
			echo "$summary"
		elif [ -z "$ran" ] || grep -qE 'no tests to run|^ +--- SKIP' "$2"; then
			echo "no cases were run"
		else
			echo clean
		fi
		;;
	*) echo "tests failed with status $1: $(grep -m1 -E '^ +--- FAIL|panic:|^=========.*(not supported|Error)' "$2")" ;;
	esac
}

bad=0
printf '%-10s %-9s %6s  %s\n' checker type 's' result
for checker; do
	for kind in $kinds; do
		flags=
		skip='^$'
		case $checker in
		# What the driver returns is the package's to handle, and tried on purpose.
		memcheck) flags='--report-api-errors no' ;;
		racecheck) flags='--racecheck-report all'; skip=/./^company\$ ;;
		initcheck) skip=/./^company\$ ;;
		esac
		pattern="^TestConformance\$/^$kind\$/^(${CASES:-.*})\$"
		log=$logs/$checker-$kind.log
		start=$(date +%s)
		# shellcheck disable=SC2086 # flags are several words
		timeout -k 10 "$limit" "$sanitizer" --tool "$checker" $flags --error-exitcode 97 --print-limit 50 ${FLAGS:-} \
			"$binary" -test.v -test.timeout 0 -test.run "$pattern" -test.skip "$skip" >"$log" 2>&1
		result=$(verdict $? "$log")
		[ "$result" = clean ] || bad=1
		printf '%-10s %-9s %6d  %s\n' "$checker" "$kind" $(($(date +%s) - start)) "$result"
	done
done
echo "what the checkers said: $logs"
exit $bad
