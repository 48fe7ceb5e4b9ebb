/** As small as libvirt accepts it. */
export const minimalDomain = `<domain type="qemu"><name>tiny</name><memory>131072</memory><os><type>hvm</type></os></domain>`;

/** A q35 guest with UEFI, Secure Boot, TPM, several controllers and devices of the host. */
export const richDomain = `<?xml version="1.0"?>
<!-- written by hand -->
<domain type="kvm" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
  <name>größe-名前</name>
  <uuid>4dea22b3-1d52-4d8f-9d31-6a1a6a1a6a1a</uuid>
  <title>Shop &amp; more</title>
  <description>keeps the shop</description>
  <metadata><libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0"><libosinfo:os id="http://redhat.com/rhel/9.2"/></libosinfo:libosinfo></metadata>
  <memory unit="GiB">8</memory>
  <currentMemory unit="KiB">4194304</currentMemory>
  <vcpu placement="static" current="4">8</vcpu>
  <cpu mode="host-passthrough" check="none"><topology sockets="2" dies="1" cores="2" threads="2"/><feature policy="require" name="vmx"/></cpu>
  <os firmware="efi"><type arch="x86_64" machine="pc-q35-8.2">hvm</type>
    <firmware><feature enabled="yes" name="enrolled-keys"/><feature enabled="yes" name="secure-boot"/></firmware>
    <loader readonly="yes" secure="yes" type="pflash">/usr/share/OVMF/OVMF_CODE.secboot.fd</loader><nvram>/var/nvram.fd</nvram></os>
  <features><acpi/><smm state="on"/></features>
  <clock offset="localtime"><timer name="rtc" tickpolicy="catchup"/></clock>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type="file" device="cdrom"><target dev="sda" bus="sata"/><readonly/><address type="drive" controller="0" bus="0" target="0" unit="0"/></disk>
    <disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="/var/lib/img/root.qcow2"/><backingStore type="file"><source file="/base.qcow2"/></backingStore><target dev="vda" bus="virtio"/><boot order="1"/><address type="pci" domain="0x0000" bus="0x04" slot="0x00" function="0x0"/></disk>
    <disk type="volume" device="disk"><source pool="fast" volume="data"/><target dev="sdb" bus="scsi"/><shareable/><serial>S1</serial><boot order="2"/><address type="drive" controller="1" bus="0" target="0" unit="3"/></disk>
    <disk type="block" device="lun"><source dev="/dev/mapper/lun1"/><target dev="sdc" bus="scsi"/><address type="drive" controller="0" bus="0" target="0" unit="1"/></disk>
    <disk type="network" device="disk"><source protocol="rbd" name="pool/image"><host name="mon1"/></source><target dev="nvme0n1" bus="nvme"/></disk>
    <controller type="scsi" index="0" model="lsilogic"/><controller type="scsi" index="1" model="virtio-scsi"/><controller type="usb" index="0" model="qemu-xhci"/>
    <interface type="network"><mac address="52:54:00:AA:BB:01"/><source network="default" portid="p" bridge="virbr0"/><model type="virtio"/><target dev="vnet0"/></interface>
    <interface type="bridge"><mac address="52:54:00:aa:bb:02"/><source bridge="br0"/><model type="e1000e"/><ip address="10.0.0.5" prefix="24" family="ipv4"/></interface>
    <interface type="hostdev" managed="yes"><mac address="52:54:00:aa:bb:03"/><source><address type="pci" domain="0x0000" bus="0x07" slot="0x10" function="0x1"/></source></interface>
    <serial type="pty"><target type="isa-serial" port="0"/></serial><console type="pty"/>
    <tpm model="tpm-crb"><backend type="emulator" version="2.0"/></tpm>
    <sound model="ich9"/><watchdog model="itco" action="reset"/>
    <hostdev mode="subsystem" type="pci" managed="yes"><source><address domain="0x0000" bus="0x3b" slot="0x00" function="0x0"/></source></hostdev>
    <hostdev mode="subsystem" type="usb"><source><vendor id="0x1234"/><product id="0x5678"/></source></hostdev>
    <hostdev mode="subsystem" type="mdev" model="vfio-pci"><source><address uuid="c2177883-f1bb-47f0-914d-32a22e3a8804"/></source></hostdev>
    <filesystem type="mount"><source dir="/srv/share"/><target dir="share"/></filesystem>
    <memballoon model="virtio"/><rng model="virtio"/>
  </devices>
  <launchSecurity type="sev"/>
  <qemu:commandline><qemu:arg value="-s"/></qemu:commandline>
</domain>`;

/** An old BIOS guest on IDE in a snapshot, as virt-v2v writes it, with the boot order of the machine and values that cannot be. */
export const snapshotDomain = `<domainsnapshot><name>before</name><state>shutoff</state><domain type="kvm" id="7">
  <name>old</name><memory unit="MiB">-512</memory><vcpu>no</vcpu>
  <os><type arch="i686" machine="pc">hvm</type><boot dev="cdrom"/><boot dev="hd"/></os>
  <clock offset="variable" adjustment="-3600" basis="utc"/>
  <metadata><libosinfo><os id="http://microsoft.com/win/2k8r2"/></libosinfo></metadata>
  <devices>
    <disk type="file" device="floppy"><source file="/a.img"/><target dev="fda" bus="fdc"/></disk>
    <disk type="file"><source file="/old.qcow2"/><target dev="hda" bus="ide"/></disk>
    <interface type="user"><mac address="00:00:00:00:00:00"/><model type="rtl8139"/></interface>
  </devices></domain></domainsnapshot>`;

/** Several domains that a script put together. */
export const domainList = `<domains><domain type="kvm"><name>a</name><uuid>u-a</uuid><memory unit="b">1073741824</memory><vcpu>1</vcpu><os><type arch="aarch64">hvm</type></os></domain>
<domain type="kvm"><name>b</name><uuid>u-b</uuid><memory unit="GB">2</memory><vcpu>2</vcpu><os><type>hvm</type></os><unheardOf>1</unheardOf></domain></domains>`;
