import type { LoaderPlace } from '@ascend/domain';

/** FAT32 below this has too few clusters to be one. */
const fat32Sectors = 70_000;

/** Is there room for FAT32, which every UEFI firmware reads (UEFI 2.10 §13.3)? Below it is FAT12 or FAT16, by the number of clusters. */
export function holdsFat32({ area }: LoaderPlace): boolean {
  return area.sectors >= fat32Sectors;
}

/** The command of mtools that formats a new EFI system partition; the same place gives the same bytes. */
export function formatCommand(place: LoaderPlace): readonly string[] {
  const { area } = place;
  const kind = holdsFat32(place) ? ['-F', '-c', '1'] : ['-c', '1'];
  const size = ['-T', String(area.sectors), '-H', String(area.firstSector), '-h', '16', '-s', '63'];
  return ['mformat', ...kind, ...size, '-N', '41534345', '-v', 'ESP', '::'];
}
