# What the recording behind `--demo` is of: programs of several families of devices, for about half a minute.
cd "$1" || exit 1
PATH=$PATH:/usr/sbin:/sbin
step() { "$@" >>log 2>&1 </dev/null; sleep 0.3; }
on_tty() { script -qec "$1" /dev/null >>log 2>&1 </dev/null; sleep 0.2; }

# Two that go on beside the rest.
(while [ -d "$1" ]; do on_tty 'stty -a; stty size; ls --color=auto /etc'; sleep 0.5; done) &
others=$!
if [ -w /dev/kvm ]; then
    timeout 12 qemu-system-x86_64 -accel kvm -m 64 -display none -serial null -monitor none >>log 2>&1 </dev/null &
fi

step truncate -s 64M disk
for round in 1 2 3; do
    loop=$(losetup -f --show disk)
    step blockdev --getsz --getss --getbsz --getro "$loop"
    step mkfs.ext4 -q "$loop"
    step fdisk -l "$loop"
    step losetup -l
    mkdir -p files && mount "$loop" files && step cp --reflink=auto /bin/ls files/a
    step lsattr files
    step chattr +d files/a
    step filefrag -v files/a
    step fstrim files
    step umount files
    step losetup -d "$loop"
    step ip tuntap add dev tap77 mode tap
    step ip link set tap77 up
    step ip tuntap del dev tap77 mode tap
    step perf stat -e task-clock,page-faults true
    on_tty "vim -u NONE -c 'sleep 400m' -c q notes"
    # Errors, as they are in real life.
    step stty size
    step blockdev --getsz /dev/null
done
kill $others
wait
