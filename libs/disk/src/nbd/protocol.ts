// Network Block Device protocol, doc/proto.md of the NBD project, read 2026-07. Only the fixed newstyle handshake.
/** Magic numbers. 64-bit ones as bigint. */
export const magic = {
  server: 0x4e_42_44_4d_41_47_49_43n,
  option: 0x49_48_41_56_45_4f_50_54n,
  optionReply: 0x3_e889_0455_65a9n,
  request: 0x25_60_95_13,
  simpleReply: 0x67_44_66_98,
  structuredReply: 0x66_8e_33_ef,
} as const;

/** Option numbers of the handshake. */
export const option = { abort: 2, startTls: 5, go: 7, structuredReply: 8, setMetaContext: 10 } as const;

/** Option reply types; errors have the top bit set. */
export const optionReply = {
  ack: 1,
  info: 3,
  metaContext: 4,
  errorBit: 0x8000_0000,
  tlsRequired: 0x8000_0005,
} as const;

/** Commands of the transmission phase. */
export const command = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

/** Chunk types of structured replies; errors have bit 15 set. */
export const chunk = { none: 0, blockStatus: 5, errorBit: 0x8000, doneFlag: 1 } as const;

/** Flags of an export. */
export const exportFlag = { readOnly: 1 << 1, sendFlush: 1 << 2, sendWriteZeroes: 1 << 6 } as const;

const errnoNames: Readonly<Record<number, string>> = {
  1: 'EPERM',
  5: 'EIO',
  12: 'ENOMEM',
  22: 'EINVAL',
  28: 'ENOSPC',
  75: 'EOVERFLOW',
  95: 'ENOTSUP',
  108: 'ESHUTDOWN',
};

/** The name of a protocol error number. */
export function errorName(errno: number): string {
  return errnoNames[errno] ?? `error ${errno}`;
}

/** Client flags and one handshake option. */
export function encodeOption(number: number, data: Uint8Array): Buffer {
  const head = Buffer.alloc(16);
  head.writeBigUInt64BE(magic.option, 0);
  head.writeUInt32BE(number, 8);
  head.writeUInt32BE(data.length, 12);
  return Buffer.concat([head, data]);
}

function sizedText(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length, 0);
  return Buffer.concat([length, bytes]);
}

/** Data of NBD_OPT_GO without information requests. */
export function encodeGo(exportName: string): Buffer {
  return Buffer.concat([sizedText(exportName), Buffer.alloc(2)]);
}

/** Data of NBD_OPT_SET_META_CONTEXT for one context. */
export function encodeMetaContext(exportName: string, context: string): Buffer {
  return Buffer.concat([sizedText(exportName), Buffer.from([0, 0, 0, 1]), sizedText(context)]);
}

/** The 28 byte header of a request. */
export function encodeRequest(type: number, cookie: number, offset: number, length: number): Buffer {
  const head = Buffer.allocUnsafe(28);
  head.writeUInt32BE(magic.request, 0);
  head.writeUInt16BE(0, 4);
  head.writeUInt16BE(type, 6);
  head.writeUInt32BE(0, 8);
  head.writeUInt32BE(cookie, 12);
  head.writeBigUInt64BE(BigInt(offset), 16);
  head.writeUInt32BE(length, 24);
  return head;
}
