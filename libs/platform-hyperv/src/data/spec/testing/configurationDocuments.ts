/** As small as a configuration is: no devices. */
export const minimalConfiguration = `<?xml version="1.0" encoding="UTF-16" standalone="yes"?>
<configuration><manifest><size type="integer">0</size></manifest><properties><name type="string">tiny</name><subtype type="integer">0</subtype></properties>
<settings><memory><bank><size type="integer">512</size></bank></memory><processors><count type="integer">1</count></processors></settings></configuration>`;

/** Generation 1 of an export of 2012 R2: IDE and SCSI disks, a shared one, media, two kinds of interfaces, a serial port, a PCI port. */
export const richConfiguration = `<configuration>
  <_55225880-49c0-4438-9ce2-5a0fd8cbd8cb_>
    <ChannelInstanceGuid type="string">{x}</ChannelInstanceGuid>
    <Connection><AltSwitchName type="string">Größe 名前</AltSwitchName></Connection>
    <MacAddress type="string">00-15-5D-01-07-DC</MacAddress><MacAddressIsStatic type="bool">False</MacAddressIsStatic><SwitchName type="string">438B7B13</SwitchName>
  </_55225880-49c0-4438-9ce2-5a0fd8cbd8cb_>
  <_66225880-49c0-4438-9ce2-5a0fd8cbd8cb_><MacAddress type="string">00-00-00-00-00-00</MacAddress><SwitchName type="string">old</SwitchName></_66225880-49c0-4438-9ce2-5a0fd8cbd8cb_>
  <_83f8638b-8dca-4152-9eda-2ca8b33039b4_>
    <controller0><drive0><pathname type="string">C:\\vm\\root.vhd</pathname><type type="string">VHD</type></drive0><drive1><pathname type="string"></pathname><type type="string">NONE</type></drive1></controller0>
    <controller1><drive0><pathname type="string">C:\\iso\\tools.iso</pathname><type type="string">ISO</type></drive0></controller1>
  </_83f8638b-8dca-4152-9eda-2ca8b33039b4_>
  <_8e3a359f-559a-4b6a-98a9-1690a6100ed7_><port0><connection type="string">\\\\.\\pipe\\com1</connection></port0><port1><connection type="string"></connection></port1></_8e3a359f-559a-4b6a-98a9-1690a6100ed7_>
  <_8f0d2762-0b00-4e04-af4f-19010527cb93_><controller0><drive0><pathname type="string"></pathname><type type="string">VFD</type></drive0></controller0></_8f0d2762-0b00-4e04-af4f-19010527cb93_>
  <_ac6b8dc1-3257-4a70-b1b2-a9c9215659ad_><secure_boot_enabled type="bool">True</secure_boot_enabled></_ac6b8dc1-3257-4a70-b1b2-a9c9215659ad_>
  <_d7a36e9b-9256-4f0d-be2c-3a13887f7b03_><controller0>
    <drive1><pathname type="string">C:\\vm\\data.vhdx</pathname><type type="string">VHD</type><persistent_reservations_supported type="bool">True</persistent_reservations_supported></drive1>
    <drive0><pathname type="string">\\\\.\\PHYSICALDRIVE3</pathname><type type="string">PHYSICAL</type></drive0></controller0></_d7a36e9b-9256-4f0d-be2c-3a13887f7b03_>
  <global_settings><metrics/></global_settings>
  <manifest>
    <vdev001><device type="string">83f8638b-8dca-4152-9eda-2ca8b33039b4</device><instance type="string">83F8638B-8DCA-4152-9EDA-2CA8B33039B4</instance></vdev001>
    <vdev002><device type="string">2fc216b0-d2e2-4967-9b6d-b8a5c9ca2778</device><instance type="string">55225880-49C0-4438-9CE2-5A0FD8CBD8CB</instance></vdev002>
    <vdev003><device type="string">d422512d-2bf2-4752-809d-7b82b5fcb1b4</device><instance type="string">D7A36E9B-9256-4F0D-BE2C-3A13887F7B03</instance></vdev003>
    <vdev004><device type="string">2fcc454e-a36a-4c77-bb5e-a2d75a51f02c</device><instance type="string">11111111-9256-4F0D-BE2C-3A13887F7B03</instance></vdev004>
  </manifest>
  <properties><global_id type="string">0AA394FA</global_id><name type="string">alt &amp; gut</name><notes type="string">n</notes><subtype type="integer">0</subtype></properties>
  <settings><memory><bank><size type="integer">2048</size><dynamic_memory_enabled type="bool">False</dynamic_memory_enabled></bank></memory><processors><count type="integer">2</count></processors></settings>
  <newcomer type="string">7</newcomer>
</configuration>`;

/** The same tree as a tool makes it of a VMCX file: generation 2, values that cannot be. */
export const jsonConfiguration = JSON.stringify({
  configuration: {
    manifest: {
      vdev0: {
        device: 'd422512d-2bf2-4752-809d-7b82b5fcb1b4',
        instance: 'd422512d-2bf2-4752-809d-7b82b5fcb1b4',
      },
    },
    properties: { name: 'new', subtype: 1, version: 2304 },
    settings: { processors: { count: 'many' }, memory: { bank: { size: -1 } } },
    '_ac6b8dc1-3257-4a70-b1b2-a9c9215659ad_': { secure_boot_enabled: true },
    '_d422512d-2bf2-4752-809d-7b82b5fcb1b4_': {
      controller0: { drive0: { type: 'VHD', pathname: 'C:\\Fake\\Path\\scsi.vhdx' } },
    },
  },
});
