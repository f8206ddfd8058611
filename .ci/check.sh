# For .ci/run: runs checks, some of them at the same time, and records the results in $RESULTS.

# check <name> <seconds> <command ...>: one that exceeds its time limit, or is still running when this script is stopped,
# counts as failed. Its output is printed in one piece when it ends.
check() {
  local name=$1 seconds=$2 started=$SECONDS status=0
  shift 2
  printf '\n=== %s: started: %s\n' "$name" "$*"
  echo failed >"$RESULTS/$name.check"
  current=$name
  # In the background, as a trap has to wait for a command in the foreground.
  timeout --kill-after=20 "$seconds" "$@" >"$RESULTS/$name.log" 2>&1 &
  running=$!
  { time wait "$running" || status=$?; } 2>"$RESULTS/$name.cpu"
  running=
  if [ "$status" -eq 0 ]; then echo passed >"$RESULTS/$name.check"; fi
  # 137: it had to be killed.
  if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then echo "=== $name: stopped after $seconds s" >>"$RESULTS/$name.log"; fi
  local cpu
  cpu=$(awk '{ printf "%.0f", $1 + $2 }' "$RESULTS/$name.cpu")
  report "$name" "exit status $status after $((SECONDS - started)) s, $cpu s of CPU time"
  printf '%8s %8s %8s  %s\n' "$started" "$SECONDS" "$cpu" "$name" >>"$RESULTS/times"
  return "$status"
}
: >"$RESULTS/times"
running=
current=
# User and system time.
TIMEFORMAT='%U %S'

# times_of_checks: prints when each check ran, and the CPU time of its processes, except those that outlived it.
times_of_checks() {
  printf '\n%8s %8s %8s\n' from to 'CPU s'
  sort -n "$RESULTS/times"
  awk '{ sum += $3 } END { printf "%26d  total\n", sum }' "$RESULTS/times"
}

# suite <name> <seconds> <command ...>: the same for a run of jest, whose tests count one by one. The machine is busy: a
# test may take longer than usual before it counts as hanging.
suite() {
  check "$@" --testTimeout=180000 --json --outputFile="$RESULTS/$1.json"
}

# report <name> <how it ended>: prints the output of a check, and not that of another one in between.
report() {
  {
    flock 9
    printf '\n=== %s: output\n' "$1"
    cat "$RESULTS/$1.log"
    printf '=== %s: %s\n' "$1" "$2"
  } 9>"$RESULTS/lock"
}

# two_at_a_time <function ...>: runs each in a process of its own, in this order: the next one starts when one of two
# has ended. Waits for all of them.
two_at_a_time() {
  local job
  for job in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
    (
      trap 'stop_check; exit 143' TERM
      trap '' INT
      "$job"
      exit 0
    ) &
  done
  wait
}

stop_check() {
  [ -n "$running" ] || return
  kill "$running" 2>/dev/null
  wait "$running"
  report "$current" stopped
}

# stop <status>: ends all that is running, and this script.
stop() {
  trap '' TERM INT
  stop_check
  mapfile -t pids < <(jobs -rp)
  if [ "${#pids[@]}" -gt 0 ]; then kill "${pids[@]}" 2>/dev/null; fi
  wait
  exit "$1"
}
trap 'stop 143' TERM
trap 'stop 130' INT
