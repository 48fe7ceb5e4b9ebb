/** Bytes per second of data at the chosen point: `usual` is the median of what was measured, `slow` what one run in ten falls below. */
export interface TransferRate {
  readonly usual: number;
  readonly slow: number;
}

const mb = 1_000_000;

/**
 * Rates from source to a file, flush included, on a loaded machine of two cores with warm sources (own measurements with QEMU 7.2, Node
 * 24). Storage or links slower than that machine's make every transfer slower: a measured rate is always better.
 */
export const writeRates: Readonly<Record<string, TransferRate>> = {
  // 4.55 GB in 11.3 s through the block server, 23 s at worst.
  raw: { usual: 400 * mb, slow: 200 * mb },
  qcow2: { usual: 430 * mb, slow: 180 * mb },
  // 0.98 GB in 5.8 s.
  'qcow2-zstd': { usual: 170 * mb, slow: 85 * mb },
  vmdk: { usual: 356 * mb, slow: 200 * mb },
  // 0.98 GB in 13.9 s with incompressible grains stored, 26.5 s without.
  'vmdk-stream': { usual: 70 * mb, slow: 37 * mb },
  vhd: { usual: 400 * mb, slow: 200 * mb },
  'vhd-fixed': { usual: 400 * mb, slow: 200 * mb },
  vhdx: { usual: 400 * mb, slow: 200 * mb },
  ova: { usual: 70 * mb, slow: 37 * mb },
};

/** For a kind of file that was not measured. */
export const otherRate: TransferRate = { usual: 200 * mb, slow: 80 * mb };

/** Reading source and target side by side and comparing them. */
export const compareRate: TransferRate = { usual: 500 * mb, slow: 200 * mb };
