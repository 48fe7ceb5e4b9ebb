/** Moves addresses of one network into another one of the same size; the host part stays. */
export interface AddressRule {
  /** CIDR of the network in the backup, e.g. `10.0.2.0/24`. */
  readonly from: string;
  /** CIDR of the network at the target, of the same family and prefix length. */
  readonly to: string;
}
