#!/usr/bin/env bash
# A Slurm of one node on this machine, to try `ib-bench run --executor slurm` and its tests with: Debian's packages,
# without systemd and without cgroups, so that it also starts in a container. Needs root.
#
#   docker/slurm.sh         install what is missing, start what is not running, and wait for the node
#   docker/slurm.sh stop    end it and every job
#
# There are two partitions: `normal`, the default, and `urgent`, whose jobs pre-empt and requeue those of `normal`.
# An /etc/slurm/slurm.conf that this script did not write is left alone, and nothing is started.
set -euo pipefail

MARK='# written by docker/slurm.sh'
CONF=/etc/slurm/slurm.conf
NODE=$(hostname -s)

fail() { echo "$0: $*" >&2; exit 1; }
runs() { pgrep -x "$1" >/dev/null; }

[ "$(id -u)" = 0 ] || fail "must be run as root"
[ ! -e $CONF ] || grep -qxF "$MARK" $CONF || fail "$CONF belongs to another Slurm"

if [ "${1:-start}" = stop ]; then
    if runs slurmctld; then
        scancel --partition=normal || true
        scancel --partition=urgent || true
        sleep 2
    fi
    for daemon in slurmd slurmctld munged; do
        pkill -x $daemon || true
    done
    for _ in $(seq 30); do
        runs slurmd || runs slurmctld || runs munged || exit 0
        sleep 1
    done
    fail "daemons are still running"
fi
[ "${1:-start}" = start ] || fail "the only argument is stop, got $1"

for command in sbatch slurmctld slurmd munged pgrep; do
    if ! command -v $command >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge procps
        break
    fi
done

mkdir -p /etc/slurm
cat >$CONF <<CONFIG
$MARK
ClusterName=bench
SlurmctldHost=$NODE
SlurmUser=slurm
AuthType=auth/munge
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/lib/slurm/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
ReturnToService=2
KillWait=10
SchedulerParameters=batch_sched_delay=1,sched_interval=5
NodeName=$NODE CPUs=$(nproc) RealMemory=$(awk '/^MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo) State=UNKNOWN
PartitionName=normal Nodes=$NODE Default=YES PriorityTier=1 MaxTime=INFINITE
PartitionName=urgent Nodes=$NODE PriorityTier=10 MaxTime=INFINITE
CONFIG
mkdir -p /run/munge /var/log/munge /var/lib/slurm/slurmctld /var/lib/slurm/slurmd /var/log/slurm
chown -R munge: /run/munge /var/log/munge
chown -R slurm: /var/lib/slurm/slurmctld /var/log/slurm
touch /run/slurmctld.pid
chown slurm: /run/slurmctld.pid

runs munged || runuser -u munge -- munged
runs slurmctld || slurmctld
runs slurmd || slurmd

for _ in $(seq 60); do
    state=$(sinfo --noheader --partition=normal --format=%T 2>/dev/null || true)
    case $state in
        idle | mixed | allocated) exec sinfo ;;
        down | drained | unknown) scontrol update nodename="$NODE" state=resume 2>/dev/null || true ;;
    esac
    sleep 1
done
fail "the node is not ready after a minute (${state:-no answer}): see /var/log/slurm"
