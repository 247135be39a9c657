"""What a guest holds beside what every database host holds: a kernel, SELinux as Debian ships it, and AppArmor."""

from __future__ import annotations

from galvan.lab.podman import File
from galvan.lab.recipes import HEALTH, Recipe, database

KERNEL = "linux-image-cloud-amd64 tiny-initramfs busybox-static kmod udev"
GUARDS = (
    "selinux-policy-default selinux-utils policycoreutils policycoreutils-python-utils semodule-utils setools checkpolicy "
    "auditd apparmor apparmor-utils"
)
BASE = "/usr/lib/galvan-lab"
# Before systemd and before the policy: nothing that the lab needs of a guest depends on what the policy allows.
# Files are written over what lies there already, so that they keep the label which they were given with the image.
INIT = """\
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /dev /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
while read -r module; do /bin/busybox insmod "/modules/$module"; done </order
said() { /bin/busybox sed -n "s/.*galvan\\.$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline; }
/bin/busybox mount -t ext4 -o rw,noatime /dev/vda /root
[ -s /root/etc/machine-id ] || /bin/busybox tar -x --overwrite -f /dev/vdb -C /root
/bin/busybox ip link set lo up
/bin/busybox ip link set eth0 up
/bin/busybox ip addr add "$(said address)" dev eth0
/bin/busybox ip route add default via "$(said gateway)"
/bin/busybox umount /proc
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /lib/systemd/systemd
"""
PACK = f"""\
kernel=$(ls /lib/modules)
mkdir -p /boot/lab/bin /boot/lab/modules
cp /bin/busybox /boot/lab/bin/
cp {BASE}/init /boot/lab/init
for name in virtio_pci virtio_rng virtio_blk virtio_net ext4 crc32c_generic; do
  modprobe -S "$kernel" --show-depends "$name"
done | awk '$1 == "insmod" && !seen[$2]++ {{ print $2 }}' | while read -r path; do
  cp "$path" /boot/lab/modules/
  basename "$path"
done >/boot/lab/order
(cd /boot/lab && find . | busybox cpio -o -H newc) >/boot/lab-initrd
mv "/boot/vmlinuz-$kernel" /boot/lab-kernel
rm -rf /boot/lab /boot/initrd* /boot/System.map* /vmlinuz* /initrd*
"""
# what the guest's own files will be written over
PLACES = """\
touch /etc/hostname /etc/hosts /root/.ssh/authorized_keys /home/dba/.ssh/authorized_keys
for kind in ed25519 ecdsa; do
  touch /etc/ssh/ssh_host_${kind}_key /etc/ssh/ssh_host_${kind}_key.pub
done
sed -i 's/^SELINUX=.*/SELINUX=permissive/' /etc/selinux/config
echo '/dev/vda / ext4 noatime,errors=remount-ro 0 0' >/etc/fstab
# a slow log's usual place, which Debian no longer makes
install -d -m 2750 -o mysql -g adm /var/log/mysql
install -d -m 700 /lost+found
systemctl mask systemd-udev-settle systemd-udev-trigger systemd-logind serial-getty@ttyS0 systemd-pstore systemd-binfmt \\
  modprobe@configfs modprobe@dm_mod modprobe@drm modprobe@fuse modprobe@loop dev-hugepages.mount \\
  sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount \\
  systemd-update-utmp systemd-update-utmp-runlevel systemd-sysusers >/dev/null 2>&1
systemctl enable auditd >/dev/null 2>&1
"""


def guest(release: str) -> Recipe:
    """Emulated: what a container's health check does in 20 ms takes a guest a second and more."""
    plain = database(release)
    patient = HEALTH.replace("timeout 1 ", "timeout 20 ")
    files = (
        *(file for file in plain.files if file.text != HEALTH),
        File("/usr/local/sbin/galera-health", patient, 0o755),
        File(f"{BASE}/init", INIT, 0o755),
    )
    packages = tuple(sorted({*plain.packages, *KERNEL.split(), *GUARDS.split()}))
    return Recipe("guest", release, packages, files, plain.finish + PLACES + PACK)
