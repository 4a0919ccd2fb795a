# Runs in the box. Prints "key value" lines that test_service_live.py reads.
PY=@PYTHON@; export BOX_SOURCE=@SOURCE@ PYTHONDONTWRITEBYTECODE=1
cd $BOX_SOURCE
# the account edgecam must reach this Python, wherever it lives; in the overlay only
for p in $(readlink -f $PY) $BOX_SOURCE/edgecam; do while [ "$p" != / ]; do chmod a+rx "$p"; p=$(dirname "$p"); done; done
mkdir -p /opt/edgecam/bin /etc/edgecam
printf '#!%s\n' "$PY" | cat - /box/stand_in.py > /opt/edgecam/bin/edgecam; cp /box/cage /usr/bin/cage; cp /bin/true /usr/sbin/seatd
chmod 755 /opt/edgecam/bin/edgecam /usr/bin/cage
echo "BOX_SOURCE=$BOX_SOURCE" > /etc/edgecam/environment

service() { $PY -m edgecam.cli.service "$@" 2>&1; }
prop() { systemctl show "$UNIT" -p "$1" --value; }
state() { echo "$1 $(prop ActiveState) restarts=$(prop NRestarts) says=$(prop StatusText)"; }
until_restarts() { # NUMBER NAME: waits for that many restarts and readiness; prints the seconds it took
    begin=$(date +%s%N)
    for _ in $(seq 200); do [ "$(prop NRestarts)" -ge "$1" ] && [ "$(prop ActiveState)" = active ] && break; sleep 0.2; done
    rm -f /var/lib/edgecam/hang
    echo "$2-seconds $(( ($(date +%s%N) - begin) / 1000000000 ))"; state "$2"
}

for mode in headless kiosk; do
    UNIT=edgecam; [ $mode = kiosk ] && UNIT=edgecam-kiosk
    service install --$mode --yes --command /opt/edgecam/bin/edgecam > /box/install-$mode || echo "install-$mode failed"
    for _ in $(seq 50); do [ "$(prop StatusText)" = "15 fps" ] && break; sleep 0.2; done
    state $mode-started
    service reload > /dev/null; sleep 0.3; state $mode-reloaded
    kill -9 "$(cat /run/edgecam/pid)"; until_restarts 1 $mode-killed
    touch /var/lib/edgecam/hang; until_restarts 2 $mode-hang
    kill -STOP "$(cat /run/edgecam/pid)"; until_restarts 3 $mode-frozen
    rm -f /var/lib/edgecam/clip-finished; systemctl stop $UNIT
    echo "$mode-clip $(ls /var/lib/edgecam | grep -c clip-finished)"
done
journalctl -u edgecam EDGECAM_SOURCE=csi:0 -o cat | sed 's/^/journal /'
echo "stack $(journalctl -u 'edgecam*' -o cat | grep -c 'Fatal Python error: Aborted')"
echo "written $(journalctl -u 'edgecam*' -o cat | grep -c 'could write')"
touch /var/lib/edgecam/crash; systemctl reset-failed $UNIT; systemctl start $UNIT; sleep 15; state crashing
rm /var/lib/edgecam/crash
for _ in $(seq 80); do [ "$(prop ActiveState)" = active ] && break; sleep 1; done; state after-the-pause
service uninstall --yes > /box/uninstall
echo "left $(ls /etc/systemd/system /etc/systemd/system/*.wants | grep -c edgecam)"
