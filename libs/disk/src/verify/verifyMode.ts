/**
 * How a written disk is compared with its source. `read-back`: every block. `sample`: first and last block, blocks at the edges of
 * allocated areas, and random ones. `none`: not at all.
 */
export type VerifyMode = 'none' | 'sample' | 'read-back';

/** All modes, weakest first. */
export const verifyModes: readonly VerifyMode[] = ['none', 'sample', 'read-back'];
