/** Reads a packet capture piece by piece and learns which IPv4 addresses a MAC uses. Its input is hostile. */
export interface AddressLearner {
  /** Takes the next bytes of the capture. */
  accept(chunk: Uint8Array): void;
  /** Addresses seen so far, in order of appearance, at most 16. */
  addresses(): readonly string[];
}

const fileHeaderBytes = 24;
const recordHeaderBytes = 16;
const maxRecordBytes = 65_535;
const maxAddresses = 16;
const etherIpv4 = 0x0800;
const etherArp = 0x0806;

function ipv4At(frame: Buffer, at: number): string | null {
  if (frame.length < at + 4) return null;
  const text = [...frame.subarray(at, at + 4)].join('.');
  return text === '0.0.0.0' || text === '255.255.255.255' ? null : text;
}

function macAt(frame: Buffer, at: number): string {
  return frame
    .subarray(at, at + 6)
    .toString('hex')
    .replaceAll(/(..)(?=.)/g, '$1:');
}

/** The address a DHCP server confirmed to `mac` in this frame (option 53 = ACK), or null. */
function confirmedByDhcp(frame: Buffer, mac: string): string | null {
  const ip = 14;
  const udp = ip + ((frame[ip] ?? 0) & 0x0f) * 4;
  const bootp = udp + 8;
  if (frame[ip + 9] !== 17 || frame.length < bootp + 240) return null;
  if (frame.readUInt16BE(udp) !== 67 || macAt(frame, bootp + 28) !== mac) return null;
  let at = bootp + 240;
  while (at + 2 < frame.length && frame[at] !== 0xff) {
    if (frame[at] === 53) return frame[at + 2] === 5 ? ipv4At(frame, bootp + 16) : null;
    at += frame[at] === 0 ? 1 : 2 + (frame[at + 1] ?? 0);
  }
  return null;
}

/** The IPv4 address that one Ethernet frame shows to belong to `mac`, or null. */
function addressInFrame(frame: Buffer, mac: string): string | null {
  if (frame.length < 34) return null;
  const type = frame.readUInt16BE(12);
  const isOwn = macAt(frame, 6) === mac;
  if (type === etherArp) return isOwn && macAt(frame, 22) === mac ? ipv4At(frame, 28) : null;
  if (type !== etherIpv4) return null;
  return isOwn ? ipv4At(frame, 26) : confirmedByDhcp(frame, mac);
}

/** Learns the addresses of one MAC (lower case, colons) from a capture in the classic little-endian pcap form. */
export function createAddressLearner(mac: string): AddressLearner {
  let rest: Buffer = Buffer.alloc(0);
  let headerSeen = false;
  let broken = false;
  const found = new Set<string>();
  const takeRecord = (): boolean => {
    if (broken || rest.length < recordHeaderBytes) return false;
    const length = rest.readUInt32LE(8);
    // A length that no frame has means that we lost the record boundary: nothing after it can be trusted.
    broken = length > maxRecordBytes;
    if (broken || rest.length < recordHeaderBytes + length) return false;
    const address = addressInFrame(rest.subarray(recordHeaderBytes, recordHeaderBytes + length), mac);
    if (address !== null && found.size < maxAddresses) found.add(address);
    rest = rest.subarray(recordHeaderBytes + length);
    return true;
  };
  return {
    accept: (chunk) => {
      if (broken) return;
      rest = Buffer.concat([rest, chunk]);
      if (!headerSeen) {
        if (rest.length < fileHeaderBytes) return;
        broken = rest.readUInt32LE(0) !== 0xa1b2c3d4;
        rest = rest.subarray(fileHeaderBytes);
        headerSeen = true;
      }
      while (takeRecord());
    },
    addresses: () => [...found],
  };
}
