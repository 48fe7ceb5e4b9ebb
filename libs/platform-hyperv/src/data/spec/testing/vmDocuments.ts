/** `Get-VM tiny | ConvertTo-Json -Depth 1` of Windows PowerShell: what lies deeper is text or nothing. */
export const minimalVm = JSON.stringify({
  VMName: 'tiny',
  ProcessorCount: 1,
  MemoryStartup: 536_870_912,
  Generation: 1,
  State: 3,
  Uptime: { Ticks: 0 },
});

/** The answers of the cmdlets about one VM of generation 2 in one object, enumerations as numbers. */
export const richVm = JSON.stringify({
  VM: {
    Name: 'Größe 名前',
    VMId: '0aa394fa-7c4a-4070-ba32-773d43b28a68',
    Generation: 2,
    ProcessorCount: 8,
    MemoryStartup: 8_589_934_592,
    Notes: 'two\r\nlines',
    HardDrives: [{ Path: 'C:\\vm\\data.vhdx' }],
    ReplicationState: 0,
    SomethingNew: 7,
  },
  VMHardDiskDrive: {
    value: [
      {
        Path: 'C:\\vm\\data.vhdx',
        ControllerType: 1,
        ControllerNumber: 1,
        ControllerLocation: 0,
        DiskNumber: null,
      },
      {
        Path: 'C:\\vm\\root.vhdx',
        ControllerType: 1,
        ControllerNumber: 0,
        ControllerLocation: 1,
        DiskNumber: 4_294_967_295,
        SupportPersistentReservations: true,
      },
      {
        Path: 'Disk 3 500.00 GB',
        ControllerType: 1,
        ControllerNumber: 0,
        ControllerLocation: 2,
        DiskNumber: 3,
      },
    ],
    Count: 3,
  },
  VHD: [{ Path: 'c:\\VM\\root.vhdx', Size: 42_949_672_960, VhdFormat: 3 }],
  VMDvdDrive: [{ Path: null, ControllerType: 1, ControllerNumber: 0, ControllerLocation: 3 }],
  VMNetworkAdapter: [
    {
      Name: 'a',
      SwitchName: 'LAN',
      MacAddress: '00155D0107DC',
      IPAddresses: ['10.0.0.5', 'fe80::1'],
      IsLegacy: false,
    },
    { Name: 'b', SwitchName: null, MacAddress: '000000000000', DynamicMacAddressEnabled: true },
  ],
  VMFirmware: {
    SecureBoot: 0,
    SecureBootTemplate: 'MicrosoftUEFICertificateAuthority',
    BootOrder: [
      { BootType: 1, Device: { SwitchName: 'LAN', MacAddress: '00155D0107DC' } },
      { BootType: 0, Device: { ControllerNumber: 0, ControllerLocation: 1 } },
    ],
  },
  VMProcessor: { Count: 8, Reserve: 0 },
  VMMemory: { Startup: 8_589_934_592, DynamicMemoryEnabled: true },
  VMSecurity: { TpmEnabled: true, Shielded: false },
  VMGpuPartitionAdapter: { InstancePath: '\\\\?\\PCI#VEN_10DE', Name: 'gpu' },
  VMAssignableDevice: [{ LocationPath: 'PCIROOT(0)#PCI(0300)', InstanceID: 'x' }],
});

/** Two VMs of generation 1, enumerations as names, values that cannot be. */
export const vmList = JSON.stringify([
  {
    Name: 'web',
    Id: 'id-web',
    Generation: 1,
    ProcessorCount: -1,
    MemoryStartup: 1e30,
    HardDrives: [
      { Path: 'D:\\web-data.vhd', ControllerType: 'SCSI', ControllerNumber: 0, ControllerLocation: 0 },
      { Path: 'D:\\web.vhd', ControllerType: 'IDE', ControllerNumber: 0, ControllerLocation: 0, Size: -5 },
    ],
    DVDDrives: [],
    FloppyDrive: { Path: 'D:\\f.vfd' },
    ComPort1: { Path: '\\\\.\\pipe\\web' },
    NetworkAdapters: [{ SwitchName: 'LAN', MacAddress: 'wrong', IsLegacy: true }],
  },
  { Name: 'db', Id: 'id-db', Generation: 2, ProcessorCount: 2, MemoryStartup: 1_073_741_824, HardDrives: [] },
]);

/** `Get-VM | Export-Clixml`: objects, lists, enumerations, references, escapes. */
export const clixmlVm = `<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">
  <Obj RefId="0"><TN RefId="0"><T>Microsoft.HyperV.PowerShell.VirtualMachine</T><T>System.Object</T></TN><ToString>VirtualMachine (Name = 'mail')</ToString>
    <Props>
      <S N="Name">mail</S><S N="Notes">a_x000A_b</S><G N="Id">0aa394fa-7c4a-4070-ba32-773d43b28a68</G>
      <I32 N="Generation">2</I32><I64 N="ProcessorCount">4</I64><I64 N="MemoryStartup">4294967296</I64>
      <Obj N="State" RefId="1"><TN RefId="1"><T>Microsoft.HyperV.PowerShell.VMState</T></TN><ToString>Off</ToString><I32>3</I32></Obj>
      <Obj N="HardDrives" RefId="2"><TN RefId="2"><T>System.Collections.Generic.List</T></TN><LST>
        <Obj RefId="3"><Props><S N="Path">C:\\mail.vhdx</S><I32 N="ControllerNumber">0</I32><I32 N="ControllerLocation">0</I32><Nil N="DiskNumber"/><Obj N="ControllerType" RefId="4"><ToString>SCSI</ToString><I32>1</I32></Obj><Ref N="VM" RefId="0"/></Props></Obj>
      </LST></Obj>
      <Obj N="NetworkAdapters" RefId="5"><LST><Obj RefId="6"><Props><S N="MacAddress">00155D000001</S><S N="SwitchName">LAN</S><B N="IsLegacy">false</B></Props></Obj></LST></Obj>
      <Obj N="VMFirmware" RefId="7"><MS><Obj N="SecureBoot" RefId="8"><ToString>On</ToString><I32>0</I32></Obj></MS></Obj>
    </Props></Obj>
</Objs>`;
