/** A part of a disk: `data` must be read, `zero` and `hole` read as zeros (`hole`: nothing is allocated for it). */
export interface Extent {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly kind: 'data' | 'zero' | 'hole';
}
