/** Absolute counters of one step; percent, rate and ETA are computed by whoever shows them. */
export interface StepProgress {
  readonly stepKey: string;
  readonly phase: string;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Bytes that needed no moving (holes, zeros, already there). */
  readonly bytesSkipped: number;
  /** ms since the epoch at the sender. */
  readonly atMs: number;
}

/** One piece of proof that a VM boots. */
export interface Evidence {
  readonly rung: 'guest-agent' | 'serial-marker' | 'network' | 'screenshot';
  readonly passed: boolean;
  /** What was seen: the matched line, the address, the picture's size. */
  readonly summary: string;
  readonly atMs: number;
}

/** The result of a rehearsal or a start. */
export interface BootReport {
  readonly verdict: 'passed' | 'failed' | 'inconclusive';
  readonly evidence: readonly Evidence[];
  readonly addresses: readonly string[];
  readonly readyAfterMs: number | null;
  readonly acceleration: 'kvm' | 'tcg' | 'platform';
  /** Last 64 KiB of the serial console. */
  readonly serialTail: string;
  /** PNG, base64, at most 1 MiB; null when the platform has no screen. */
  readonly screenshotPng: string | null;
}
