/** As small as the standard allows, and with its oldest words: no namespace prefixes, units by name. */
export const minimalOvf = `<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1">
  <References/>
  <VirtualSystem id="tiny">
    <Info>tiny</Info>
    <VirtualHardwareSection>
      <Info>hardware</Info>
      <Item><ElementName>cpu</ElementName><InstanceID>1</InstanceID><ResourceType>3</ResourceType><VirtualQuantity>1</VirtualQuantity></Item>
      <Item><AllocationUnits>MegaBytes</AllocationUnits><ElementName>memory</ElementName><InstanceID>2</InstanceID><ResourceType>4</ResourceType><VirtualQuantity>512</VirtualQuantity></Item>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>`;

/** As vSphere exports a VM: EFI, Secure Boot, TPM, several controllers with disks out of order, a device of the host, deployment options. */
export const richOvf = `<?xml version="1.0" encoding="UTF-8"?>
<ovf:Envelope xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf" xmlns:vssd="urn:vssd" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" vmw:buildId="build-20842708">
  <ovf:References>
    <ovf:File ovf:id="file1" ovf:href="größe-disk1.vmdk" ovf:size="123"/>
    <ovf:File ovf:id="file2" ovf:href="größe-disk2.vmdk"/>
  </ovf:References>
  <ovf:DiskSection>
    <ovf:Info>disks</ovf:Info>
    <ovf:Disk ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:capacity="40" ovf:capacityAllocationUnits="byte * 2^30" ovf:format="urn:vmdk" ovf:populatedSize="1"/>
    <ovf:Disk ovf:diskId="vmdisk2" ovf:fileRef="file2" ovf:capacity="67108864" ovf:format="urn:vmdk"/>
    <ovf:Disk ovf:diskId="vmdisk3" ovf:capacity="\${size}" ovf:capacityAllocationUnits="byte * 2^20"/>
  </ovf:DiskSection>
  <ovf:DeploymentOptionSection>
    <ovf:Info>sizes</ovf:Info>
    <ovf:Configuration ovf:id="small"/>
    <ovf:Configuration ovf:id="large" ovf:default="true"/>
  </ovf:DeploymentOptionSection>
  <ovf:NetworkSection><ovf:Info>n</ovf:Info><ovf:Network ovf:name="LAN"/></ovf:NetworkSection>
  <ovf:VirtualSystem ovf:id="vm-17">
    <ovf:Info>a VM</ovf:Info>
    <ovf:Name>Größe &amp; 名前</ovf:Name>
    <ovf:OperatingSystemSection ovf:id="102" vmw:osType="windows2019srvNext_64Guest"><ovf:Info>os</ovf:Info><ovf:Description>Microsoft Windows</ovf:Description></ovf:OperatingSystemSection>
    <ovf:AnnotationSection><ovf:Info>a</ovf:Info><ovf:Annotation>two
lines</ovf:Annotation></ovf:AnnotationSection>
    <vmw:BootOrderSection vmw:instanceId="9 8" vmw:type="disk"><ovf:Info>boot</ovf:Info></vmw:BootOrderSection>
    <ovf:VirtualHardwareSection ovf:transport="com.vmware.guestInfo">
      <ovf:Info>hardware</ovf:Info>
      <ovf:System><vssd:ElementName>f</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID><vssd:VirtualSystemType>vmx-19</vssd:VirtualSystemType></ovf:System>
      <ovf:Item ovf:configuration="small"><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></ovf:Item>
      <ovf:Item ovf:configuration="large"><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>8</rasd:VirtualQuantity><vmw:CoresPerSocket ovf:required="false">4</vmw:CoresPerSocket></ovf:Item>
      <ovf:Item ovf:bound="max"><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>64</rasd:VirtualQuantity></ovf:Item>
      <ovf:Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>16384</rasd:VirtualQuantity></ovf:Item>
      <ovf:Item><rasd:Address>1</rasd:Address><rasd:ElementName>SCSI controller 1</rasd:ElementName><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>lsilogicsas</rasd:ResourceSubType><rasd:ResourceType>6</rasd:ResourceType></ovf:Item>
      <ovf:Item><rasd:Address>0</rasd:Address><rasd:ElementName>SCSI controller 0</rasd:ElementName><rasd:InstanceID>4</rasd:InstanceID><rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType><rasd:ResourceType>6</rasd:ResourceType></ovf:Item>
      <ovf:Item><rasd:Address>0</rasd:Address><rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceSubType>vmware.nvme.controller</rasd:ResourceSubType><rasd:ResourceType>20</rasd:ResourceType></ovf:Item>
      <ovf:Item><rasd:Address>0</rasd:Address><rasd:InstanceID>6</rasd:InstanceID><rasd:ResourceSubType>vmware.sata.ahci</rasd:ResourceSubType><rasd:ResourceType>20</rasd:ResourceType></ovf:Item>
      <ovf:Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>Hard disk 3</rasd:ElementName><rasd:HostResource>ovf:/disk/vmdisk3</rasd:HostResource><rasd:InstanceID>7</rasd:InstanceID><rasd:Parent>5</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></ovf:Item>
      <ovf:Item><rasd:AddressOnParent>2</rasd:AddressOnParent><rasd:ElementName>Hard disk 2</rasd:ElementName><rasd:HostResource>ovf:/disk/vmdisk2</rasd:HostResource><rasd:InstanceID>8</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></ovf:Item>
      <ovf:Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>Hard disk 1</rasd:ElementName><rasd:HostResource>ovf:/disk/vmdisk1</rasd:HostResource><rasd:InstanceID>9</rasd:InstanceID><rasd:Parent>4</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType><vmw:Config vmw:key="backing.writeThrough" vmw:value="false"/></ovf:Item>
      <ovf:Item ovf:required="false"><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>CD/DVD drive 1</rasd:ElementName><rasd:InstanceID>10</rasd:InstanceID><rasd:Parent>6</rasd:Parent><rasd:ResourceSubType>vmware.cdrom.remotepassthrough</rasd:ResourceSubType><rasd:ResourceType>15</rasd:ResourceType></ovf:Item>
      <ovf:Item><rasd:AddressOnParent>7</rasd:AddressOnParent><rasd:AutomaticAllocation>true</rasd:AutomaticAllocation><rasd:Connection>LAN</rasd:Connection><rasd:ElementName>Network adapter 1</rasd:ElementName><rasd:InstanceID>11</rasd:InstanceID><rasd:ResourceSubType>VmxNet3</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></ovf:Item>
      <ovf:Item><rasd:Address>00:50:56:AB:CD:01</rasd:Address><rasd:Connection>LAN</rasd:Connection><rasd:InstanceID>12</rasd:InstanceID><rasd:ResourceSubType>E1000e</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></ovf:Item>
      <ovf:Item><rasd:ElementName>Virtual TPM</rasd:ElementName><rasd:InstanceID>13</rasd:InstanceID><rasd:ResourceSubType>vmware.vtpm</rasd:ResourceSubType><rasd:ResourceType>1</rasd:ResourceType></ovf:Item>
      <ovf:Item><rasd:ElementName>PCI device 0</rasd:ElementName><rasd:InstanceID>14</rasd:InstanceID><rasd:ResourceSubType>vmware.pcipassthrough</rasd:ResourceSubType><rasd:ResourceType>1</rasd:ResourceType></ovf:Item>
      <ovf:Item><rasd:ElementName>Video card</rasd:ElementName><rasd:InstanceID>15</rasd:InstanceID><rasd:ResourceType>24</rasd:ResourceType></ovf:Item>
      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>
      <vmw:Config ovf:required="false" vmw:key="bootOptions.efiSecureBootEnabled" vmw:value="true"/>
      <vmw:Config ovf:required="false" vmw:key="cpuHotAddEnabled" vmw:value="true"/>
      <vmw:ExtraConfig vmw:key="svga.present" vmw:value="TRUE"/>
      <vmw:ExtraConfig vmw:key="some.vendor.option" vmw:value="7"/>
    </ovf:VirtualHardwareSection>
  </ovf:VirtualSystem>
</ovf:Envelope>`;

/** As VirtualBox exports: MAC addresses, EFI and clock in a section of its own, no device keys. */
export const boxOvf = `<?xml version="1.0"?>
<Envelope ovf:version="1.0" xml:lang="en-US" xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="urn:rasd" xmlns:vssd="urn:vssd" xmlns:vbox="http://www.virtualbox.org/ovf/machine">
  <References><File ovf:href="box-disk001.vmdk" ovf:id="file1"/></References>
  <DiskSection><Info>d</Info><Disk ovf:capacity="8589934592" ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:format="urn:x" vbox:uuid="u"/></DiskSection>
  <VirtualSystem ovf:id="box">
    <Info>A virtual machine</Info>
    <OperatingSystemSection ovf:id="96"><Info>os</Info><Description>Debian_64</Description><vbox:OSType ovf:required="false">Debian12_64</vbox:OSType></OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>hardware</Info>
      <System><vssd:VirtualSystemType>virtualbox-2.2</vssd:VirtualSystemType></System>
      <Item><rasd:Caption>2 virtual CPU</rasd:Caption><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>
      <Item><rasd:AllocationUnits>MegaBytes</rasd:AllocationUnits><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>2048</rasd:VirtualQuantity></Item>
      <Item><rasd:Address>0</rasd:Address><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>PIIX4</rasd:ResourceSubType><rasd:ResourceType>5</rasd:ResourceType></Item>
      <Item><rasd:Address>0</rasd:Address><rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceSubType>AHCI</rasd:ResourceSubType><rasd:ResourceType>20</rasd:ResourceType></Item>
      <Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:Caption>disk1</rasd:Caption><rasd:HostResource>/disk/vmdisk1</rasd:HostResource><rasd:InstanceID>7</rasd:InstanceID><rasd:Parent>5</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
      <Item><rasd:AutomaticAllocation>true</rasd:AutomaticAllocation><rasd:Connection>NAT</rasd:Connection><rasd:InstanceID>8</rasd:InstanceID><rasd:ResourceSubType>E1000</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></Item>
      <Item><rasd:AutomaticAllocation>false</rasd:AutomaticAllocation><rasd:InstanceID>9</rasd:InstanceID><rasd:ResourceSubType>ensoniq1371</rasd:ResourceSubType><rasd:ResourceType>35</rasd:ResourceType></Item>
    </VirtualHardwareSection>
    <vbox:Machine ovf:required="false" version="1.16-linux" name="box">
      <Description>built by hand</Description>
      <Hardware>
        <CPU count="2"/><Firmware type="EFI"/><TrustedPlatformModule type="v2_0" location=""/>
        <Network><Adapter slot="1" enabled="false" MACAddress="080027000002"/><Adapter slot="0" enabled="true" MACAddress="080027AABBCC" type="82540EM"><NAT/></Adapter></Network>
        <RTC localOrUTC="UTC"/>
      </Hardware>
    </vbox:Machine>
  </VirtualSystem>
</Envelope>`;

/** OVF 2 with storage and port items; two VMs in a nested collection. */
export const collectionOvf = `<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/2" xmlns:rasd="urn:rasd" xmlns:sasd="urn:sasd" xmlns:epasd="urn:epasd">
  <References><File id="f" href="db.vmdk"/></References>
  <DiskSection><Info>d</Info><Disk diskId="d1" fileRef="f" capacity="5" capacityAllocationUnits="byte * 10^9"/></DiskSection>
  <VirtualSystemCollection id="shop">
    <Info>all</Info>
    <StartupSection><Info>order</Info><Item id="db" order="1"/></StartupSection>
    <VirtualSystem id="web"><Info>w</Info><Name>web</Name><VirtualHardwareSection><Info>h</Info>
      <Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>1</rasd:VirtualQuantity></Item>
      <Item><rasd:AllocationUnits>byte * 2^30</rasd:AllocationUnits><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>1</rasd:VirtualQuantity></Item>
    </VirtualHardwareSection></VirtualSystem>
    <VirtualSystemCollection id="inner"><Info>i</Info>
      <VirtualSystem id="db"><Info>d</Info><Name>Datenbank</Name><OperatingSystemSection id="80"><Info>o</Info></OperatingSystemSection><VirtualHardwareSection><Info>h</Info>
        <Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>4</rasd:VirtualQuantity></Item>
        <Item><rasd:AllocationUnits>byte * 2^30</rasd:AllocationUnits><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>8</rasd:VirtualQuantity></Item>
        <Item><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>lsilogic</rasd:ResourceSubType><rasd:ResourceType>6</rasd:ResourceType></Item>
        <StorageItem><sasd:AddressOnParent>0</sasd:AddressOnParent><sasd:HostResource>ovf:/disk/d1</sasd:HostResource><sasd:InstanceID>4</sasd:InstanceID><sasd:Parent>3</sasd:Parent><sasd:ResourceType>17</sasd:ResourceType></StorageItem>
        <EthernetPortItem><epasd:Address>02:00:00:00:00:09</epasd:Address><epasd:Connection>back</epasd:Connection><epasd:InstanceID>5</epasd:InstanceID><epasd:ResourceSubType>PCNet32 E1000</epasd:ResourceSubType><epasd:ResourceType>10</epasd:ResourceType></EthernetPortItem>
      </VirtualHardwareSection></VirtualSystem>
    </VirtualSystemCollection>
  </VirtualSystemCollection>
</Envelope>`;
