# SPDX-License-Identifier: GPL-2.0-or-later
# What the integration tests in bash share; source it first:
#
#   #!/usr/bin/env bash
#   # SPDX-License-Identifier: GPL-2.0-or-later
#   # smoke                      (this line: tools/check runs it with the sanitizer build, too)
#   . "$(dirname "$0")/lib.sh"
#
# tools/check gives SONDE, SONDED and WORKLOADS; run by hand, the ones below build/ are used. With
# SONDE_SMOKE=1 a test may do less. Results are lines "ok NAME", "not ok NAME: why" and "skip NAME:
# why" on standard output, which ok, not_ok, skip and the expect_ functions print; tools/check
# counts them. Details belong on standard error: they are shown when something failed.
#
# Everything is private to the test: $TMP, the daemon's socket and store in it, and all that
# spawn, start_daemon and start_workload started is stopped at the end, however the end comes.

set -u
ROOT=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
: "${SONDE:=$ROOT/build/cli/sonde}" "${SONDED:=$ROOT/build/daemon/sonded}"
: "${WORKLOADS:=$ROOT/build/tests/workloads}"
SONDE=$(readlink -m "$SONDE") SONDED=$(readlink -m "$SONDED") WORKLOADS=$(readlink -m "$WORKLOADS")
PYTHON=/usr/bin/python3 # not what a developer's PATH has: targets and tools are Debian's
export SONDE SONDED WORKLOADS SONDE_SONDED=$SONDED NO_COLOR=1 LC_ALL=C.UTF-8
TMP=$(mktemp -d /tmp/sonde-test-XXXXXX)
export SONDE_SOCKET=$TMP/sonde.sock # of no daemon until start_daemon
failures=0
spawned=()

ok() { printf 'ok %s\n' "$1"; }

not_ok() { # NAME WHY
	printf 'not ok %s: %s\n' "$1" "${2//$'\n'/ | }"
	failures=$((failures + 1))
}

skip() { printf 'skip %s: %s\n' "$1" "$2"; }

# The whole file is skipped.
skip_all() { # WHY
	skip "$(basename "$0" .sh)" "$1"
	exit 0
}

need_root() { [ "$(id -u)" = 0 ] || skip_all "needs root"; }

need_command() { # COMMAND...
	local c
	for c; do command -v "$c" >/dev/null || skip_all "$c is not installed"; done
}

# check NAME COMMAND...: ok when the command succeeds; what it printed is the reason when not.
check() {
	local name=$1 said
	shift
	if said=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "'$*' failed: ${said:0:2000}"; fi
}

expect_eq() { # NAME GOT WANTED
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got '$2', not '$3'"; fi
}

# A number GOT that lies from LOW to HIGH (integers or decimals).
expect_between() { # NAME GOT LOW HIGH
	if awk -v g="$2" -v l="$3" -v h="$4" 'BEGIN { exit !(g ~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/ && g + 0 >= l + 0 && g + 0 <= h + 0) }'
	then ok "$1"; else not_ok "$1" "got '$2', which is not from $3 to $4"; fi
}

expect_contains() { # NAME TEXT WANTED
	case $2 in *"$3"*) ok "$1" ;; *) not_ok "$1" "no '$3' in: ${2:0:2000}" ;; esac
}

expect_lacks() { # NAME TEXT UNWANTED
	case $2 in *"$3"*) not_ok "$1" "'$3' is in: ${2:0:2000}" ;; *) ok "$1" ;; esac
}

# expect_json NAME JSON-TEXT-OR-FILE FILTER [jq's --arg …]: ok when jq's filter is true of it.
expect_json() {
	local name=$1 json=$2 filter=$3
	shift 3
	if [ -f "$json" ]; then json=$(<"$json"); fi
	if jq -e "$@" "$filter" >/dev/null 2>"$TMP/jq.err" <<<"$json"; then
		ok "$name"
	else
		not_ok "$name" "not true: $filter $(<"$TMP/jq.err") of ${json:0:2000}"
	fi
}

# run COMMAND...: runs it; sets OUT, ERR and STATUS.
run() {
	"$@" >"$TMP/run.out" 2>"$TMP/run.err" </dev/null
	STATUS=$?
	OUT=$(<"$TMP/run.out")
	ERR=$(<"$TMP/run.err")
}

# run_sonde ARGUMENT...: as run, with a limit of time.
run_sonde() { run timeout -k 5 "${SONDE_TIMEOUT:-60}" "$SONDE" "$@"; }

# wait_until SECONDS COMMAND...: until the command succeeds; fails when that does not happen.
wait_until() {
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

alive() { kill -0 "$1" 2>/dev/null; }

# stop PID [SIGNAL]: ends a child of this shell and waits; KILL after ten seconds. Its exit status.
stop() {
	local pid=$1 end=$((SECONDS + 10))
	kill -"${2:-TERM}" "$pid" 2>/dev/null
	while alive "$pid" && [ "$SECONDS" -lt "$end" ]; do sleep 0.02; done
	alive "$pid" && kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# spawn COMMAND...: in the background, stopped at the end; sets PID. Its output is in $TMP/spawn-PID.
spawn() {
	local out
	out=$(mktemp "$TMP/spawn-XXXXXX")
	"$@" >"$out" 2>&1 </dev/null &
	PID=$!
	spawned+=("$PID")
	mv "$out" "$TMP/spawn-$PID"
}

# start_daemon [OPTION...]: a private sonded that answers; sets DAEMON. Its log is $TMP/daemon.log.
start_daemon() {
	rm -f "$SONDE_SOCKET"
	"$SONDED" --foreground --socket "$SONDE_SOCKET" --store "$TMP/store" "$@" \
		>>"$TMP/daemon.log" 2>&1 </dev/null &
	DAEMON=$!
	spawned+=("$DAEMON")
	if ! wait_until 15 daemon_answers || ! alive "$DAEMON"; then
		not_ok start_daemon "sonded does not answer: $(tail -n 20 "$TMP/daemon.log")"
		exit 1
	fi
}

# Also true once it has died, so that nobody waits for it.
daemon_answers() { ! alive "$DAEMON" || timeout 5 "$SONDE" status >/dev/null 2>&1; }

# Ends the daemon cleanly; a bad exit status is a failed test.
stop_daemon() {
	local status
	stop "$DAEMON"
	status=$?
	[ "$status" = 0 ] || not_ok stop_daemon "sonded ended with status $status: $(tail -n 20 "$TMP/daemon.log")"
	return "$status"
}

# start_workload NAME [OPTION...]: $WORKLOADS/wl_NAME --wait, held before its work; sets WL.
# go_workload lets it work; finish_workload also waits: its exit status, its output in WL_OUT.
start_workload() {
	local name=$1
	shift
	WL_FILE=$(mktemp -u "$TMP/wl-XXXXXX")
	mkfifo "$WL_FILE.in"
	"$WORKLOADS/wl_$name" --wait "$@" <"$WL_FILE.in" >"$WL_FILE.out" 2>&1 &
	WL=$!
	spawned+=("$WL")
	exec {WL_FD}>"$WL_FILE.in"
	if ! wait_until 10 grep -qs "^ready $WL\$" "$WL_FILE.out"; then
		not_ok start_workload "wl_$name is not ready: $(cat "$WL_FILE.out")"
		exit 1
	fi
}

go_workload() {
	echo >&"$WL_FD"
	exec {WL_FD}>&-
}

finish_workload() {
	local status
	go_workload
	wait "$WL"
	status=$?
	WL_OUT=$(<"$WL_FILE.out")
	return "$status"
}

cleanup() {
	local status=$? pid i
	trap '' INT TERM HUP
	# The youngest first: targets before the daemon that watches them.
	for ((i = ${#spawned[@]} - 1; i >= 0; i--)); do
		pid=${spawned[i]}
		alive "$pid" && stop "$pid"
	done
	if [ "$failures" != 0 ] && [ -s "$TMP/daemon.log" ]; then
		echo "--- the daemon's log:" >&2
		tail -n 50 "$TMP/daemon.log" >&2
	fi
	rm -rf "$TMP"
	[ "$failures" = 0 ] || status=1
	trap - EXIT
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
