/** One interface as one configuration file describes it. */
export interface NicConfig {
  /** Interface name; null when the file matches by MAC alone. */
  readonly name: string | null;
  readonly mac: string | null;
  /** CIDR; empty means DHCP or nothing. */
  readonly addresses: readonly string[];
}
