// Not among the types of the runtime; only what is used here.
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => {
    readonly buffer: ArrayBuffer;
  };
};

const wasmPageBytes = 64 * 1024;
const aligned = new WeakSet<ArrayBufferLike>();

/**
 * Memory that starts on a page boundary, as reads and writes past the page cache need it. The runtime has no call for that, but the
 * memory of a WebAssembly instance is mapped in whole pages. It takes no room before it is touched. Where such memory cannot be had
 * (a limit on address space), it is ordinary memory.
 */
export function allocateAligned(bytes: number): Buffer {
  const pages = Math.ceil(bytes / wasmPageBytes);
  try {
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages });
    aligned.add(buffer);
    return Buffer.from(buffer, 0, bytes);
  } catch {
    return Buffer.allocUnsafeSlow(bytes);
  }
}

/** True when it is known that the bytes start at a multiple of `unitBytes`, which is at most a page. */
export function isAligned(bytes: Uint8Array, unitBytes: number): boolean {
  return bytes.byteOffset % unitBytes === 0 && aligned.has(bytes.buffer);
}
