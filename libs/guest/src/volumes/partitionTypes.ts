/** Type of an EFI system partition on a GPT (UEFI 2.10 §5.3.3). */
export const espType = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';

/** Types of an EFI system partition: MBR byte and GPT GUID (UEFI 2.10 §5). */
export const espTypes: ReadonlySet<string> = new Set(['ef', espType]);

/**
 * Types of the parts of a dynamic disk (Logical Disk Manager): MBR byte 42h, GPT metadata and data (Microsoft
 * `PARTITION_INFORMATION_GPT`, PARTITION_LDM_METADATA_GUID and PARTITION_LDM_DATA_GUID).
 */
export const dynamicDiskTypes: ReadonlySet<string> = new Set([
  '42',
  '5808c8aa-7e8f-42e0-85d2-e1e90434cfb3',
  'af9b60a0-1431-4f62-bc68-3311714a69ad',
]);

/** Type of a BIOS boot partition, where GRUB's core image lies on a GPT (GRUB manual, "BIOS installation"). */
export const biosBootType = '21686148-6449-6e6f-744e-656564454649';
